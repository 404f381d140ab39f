//! Did bottle notice? Each attempt's expected surface against the entries of the audit log: silence is a finding. Pure.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::catalogue::Item;
use crate::field::Field;
use crate::surface::Surface;
use crate::token::{self, Token};
use crate::tried::{Ended, Report};

/// What one entry is about, and whether an attempt has it.
struct Entry {
    surface: Surface,
    /// How often it happened: repeats share an entry.
    count: u64,
    taken: bool,
}

/// Which entries have a token or a quoted text in them? A scan makes many thousand entries, so that each is read once.
type Signs = HashMap<String, Vec<usize>>;

/// What is missing from the log, and what is there of attempts of which nothing should be.
///
/// An entry belongs to an attempt if it has its token or its address. Attempts whose entries can't carry either (a request
/// that could not be read has no name) are compared in total: at least as many entries of a kind as attempts that expect it.
pub fn findings(field: &Field, items: &[Item], reports: &[Report], log: &[Value]) -> Vec<String> {
    let ((mut entries, signs), refused) = (entries(field, log), refused(log));
    let counted = |class: &str| refused.get(class).copied().unwrap_or(0);
    let mut unclaimed: BTreeMap<Surface, Vec<&str>> = BTreeMap::new();
    let mut found = Vec::new();
    for (place, item) in items.iter().enumerate() {
        let Some(expected) = Surface::parse(&item.surface) else { continue };
        let made =
            reports.iter().any(|report| report.id == item.id && !matches!(report.ended, Ended::NotApplicable(_)));
        if !made {
            continue;
        }
        let (own, often) = claim(&mut entries, &signs, &Token::of(field, &item.id, place as u16));
        if expected == Surface::None && !own.is_empty() {
            found.push(format!("{}: nothing should be in the log, and there is {own:?}", item.id));
        }
        if let Surface::RefusedMany(class, many) = &expected {
            if counted(class) < *many {
                found.push(format!("{}: {} refused packets of class {class}, not {many}", item.id, counted(class)));
            }
            continue;
        }
        if let Surface::Connections(many) = expected {
            let [flood, unheard, undecided, answered] = ["flood", "unheard", "undecided", "answered"].map(counted);
            if often + flood + unheard + undecided + answered < many {
                let kinds = format!(
                    "{often} decided, {flood} flood, {unheard} unheard, {undecided} undecided, {answered} answered"
                );
                found.push(format!("{}: {many} connections, of which are {kinds}", item.id));
            }
            continue;
        }
        if let Surface::Own(expected) = &expected {
            if !own.contains(expected) {
                found.push(format!("{}: no entry of its own says {expected:?}, but {own:?}", item.id));
            }
            continue;
        }
        if expected != Surface::None && !own.contains(&expected) {
            unclaimed.entry(expected).or_default().push(&item.id);
        }
    }
    for (surface, ids) in unclaimed {
        let left = entries.iter().filter(|entry| !entry.taken && entry.surface == surface);
        let left: u64 = left.map(|entry| entry.count).sum();
        let left = if let Surface::Refused(class) = &surface { counted(class) } else { left };
        if (ids.len() as u64) > left {
            found.push(format!("{surface:?}: {left} entries for {} attempts: {}", ids.len(), ids.join(", ")));
        }
    }
    found
}

/// The surfaces of the entries that are this attempt's, which are no other's, and how many connections these stand for.
fn claim(entries: &mut [Entry], signs: &Signs, token: &Token) -> (Vec<Surface>, u64) {
    let marks = [token.v4().map(|address| address.to_string()), token.v6().map(|address| address.to_string())];
    let own =
        marks.into_iter().flatten().chain([token.text().to_owned()]).filter_map(|sign| signs.get(&sign)).flatten();
    let own: std::collections::BTreeSet<usize> = own.copied().collect();
    let surfaces = own.into_iter().map(|at| {
        entries[at].taken = true;
        entries[at].surface.clone()
    });
    let surfaces: Vec<Surface> = surfaces.collect();
    let connections = surfaces.iter().filter(|it| matches!(it, Surface::Deny(_) | Surface::Allow)).count() as u64;
    (surfaces, connections)
}

fn entries(field: &Field, log: &[Value]) -> (Vec<Entry>, Signs) {
    let outcomes = log.iter().filter(|line| line["kind"] == "outcome");
    let outcomes: HashMap<u64, &Value> = outcomes.filter_map(|line| Some((line["attempt"].as_u64()?, line))).collect();
    let read = |line: &Value| {
        Some(match line["kind"].as_str()? {
            "dns.denied" => Surface::DnsDenied,
            "refused" => Surface::Refused(line["class"].as_str()?.to_owned()),
            "decision" => {
                let late = outcomes.get(&line["attempt"].as_u64()?).map(|outcome| &outcome["reason"]);
                let code = [Some(&line["reason"]), late].into_iter().flatten().find_map(Value::as_str);
                code.map_or(Surface::Allow, |code| Surface::Deny(code.split(':').next().unwrap_or_default().to_owned()))
            }
            _ => return None,
        })
    };
    let (mut entries, mut signs, prefix) = (Vec::new(), Signs::new(), token::prefix(&field.seed));
    for line in log {
        let Some(surface) = read(line) else { continue };
        let text = line.to_string().to_ascii_lowercase();
        let tokens = text.match_indices(&prefix).filter_map(|(at, _)| text.get(at..at + token::LENGTH));
        for sign in text.split('"').chain(tokens) {
            signs.entry(sign.to_owned()).or_default().push(entries.len());
        }
        entries.push(Entry { surface, count: line["count"].as_u64().unwrap_or(1), taken: false });
    }
    (entries, signs)
}

/// How many packets of each class were refused: exact, where entries are samples.
fn refused(log: &[Value]) -> BTreeMap<String, u64> {
    let counts = log.iter().filter(|line| line["kind"] == "run.end").filter_map(|end| end["refused"].as_object());
    counts.flatten().filter_map(|(class, count)| Some((class.clone(), count.as_u64()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;
    use serde_json::json;

    /// The findings about one attempt that was made, given a log.
    fn about(id: &str, log: impl Fn(&Token) -> Vec<Value>) -> Vec<String> {
        let marks = crate::field::Marks { v4: [11, 200, 0, 0].into(), v6: "2600:db:77::".parse().unwrap() };
        let field = Field { seed: "seed".into(), marks: Some(marks), ..Field::default() };
        let items = catalogue::all();
        let place = items.iter().position(|item| item.id == id).unwrap();
        let report = Report { id: id.into(), tried: vec![], output: String::new(), ways: vec![], ended: Ended::Done };
        findings(&field, &items, &[report], &log(&Token::of(&field, id, place as u16)))
    }

    #[test]
    fn a_scan_is_accounted_for_to_the_last_connection() {
        let log = |undecided: u64| {
            move |token: &Token| {
                let address = token.v4().unwrap().to_string();
                let denied = |attempt: u64| json!({"kind": "decision", "attempt": attempt, "address": address, "reason": "literal-address"});
                let rows = json!({"flood": 15_000, "unheard": 34, "undecided": undecided, "answered": 1});
                let end = json!({"kind": "run.end", "refused": rows});
                (1..=500).map(denied).chain([end]).collect()
            }
        };
        assert_eq!(about("tcp-scan", log(50_000)), [""; 0]);
        let found = about("tcp-scan", log(49_999));
        assert!(found.len() == 1 && found[0].contains("500 decided"), "{found:?}");
    }

    #[test]
    fn silence_is_a_finding() {
        assert_eq!(about("tcp-literal", |_| vec![]).len(), 1);
        assert_eq!(about("udp-literal", |_| vec![]).len(), 1);
        assert_eq!(about("packet-socket", |_| vec![]), [""; 0]);
    }

    #[test]
    fn an_entry_with_the_attempt_s_address_or_an_exact_count_is_no_silence() {
        let decision = |token: &Token| {
            vec![json!({"kind": "decision", "attempt": 1, "address": token.v4().unwrap(), "reason": "literal-address"})]
        };
        assert_eq!(about("tcp-literal", decision), [""; 0]);
        assert_eq!(about("udp-literal", |_| vec![json!({"kind": "run.end", "refused": {"udp4": 1}})]), [""; 0]);
    }

    #[test]
    fn an_entry_that_names_another_address_is_a_finding_where_it_must_name_the_attempt_s() {
        let entry = |address: String| json!({"kind": "decision", "attempt": 1, "address": address, "reason": "literal-address"});
        assert_eq!(about("connect-to-an-address", |token| vec![entry(token.v4().unwrap().to_string())]), [""; 0]);
        assert_eq!(about("connect-to-an-address", |_| vec![entry("28.0.0.1".to_owned())]).len(), 1);
    }

    #[test]
    fn an_entry_of_an_attempt_that_nothing_should_see_is_a_finding() {
        let refused =
            |token: &Token| vec![json!({"kind": "refused", "class": "other4", "address": token.v4().unwrap()})];
        assert_eq!(about("raw-ip", refused).len(), 1);
    }
}
