//! What got out? Each attempt's token, mark, or a secret, sought in all that was seen outside; and ways that were open, and not gone. Pure.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::attempt::{Control, Severity};
use crate::catalogue::Item;
use crate::field::Field;
use crate::token::{self, Token};
use crate::tried::{Ended, Report};

/// All that was seen outside.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    /// What collectors, name servers and canaries got, by place.
    pub got: Vec<(String, Vec<u8>)>,
    /// Each frame that a capture saw, by link, from its Ethernet header on.
    pub frames: Vec<(String, Vec<u8>)>,
    /// What must never be read inside, by place.
    pub secrets: Vec<(String, String)>,
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Nothing of it was seen outside.
    Contained,
    /// It got out.
    Escaped,
    /// It could not be made here.
    NotApplicable,
}

/// The judgement on one attempt: one JSON line.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// Which attempt.
    pub id: String,
    /// Its class.
    pub class: String,
    /// How bad it would be.
    pub severity: Severity,
    /// What bottle's log must say of it.
    pub surface: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Where it was seen; else what the kernel said last, or why it is not applicable.
    pub detail: String,
    /// What it does where nothing stands in its way.
    pub control: Control,
}

/// Judges all attempts that were to be made. One without a report counts as contained only if it was not seen, and says so.
pub fn judge(field: &Field, items: &[Item], reports: &[Report], outside: &Outside) -> Vec<Verdict> {
    let seen = sightings(field, items, outside);
    let reports: HashMap<&str, &Report> = reports.iter().map(|report| (report.id.as_str(), report)).collect();
    items.iter().map(|item| verdict(item, reports.get(item.id.as_str()).copied(), &seen, &outside.secrets)).collect()
}

fn verdict(item: &Item, report: Option<&Report>, seen: &Seen, secrets: &[(String, String)]) -> Verdict {
    let mut places = seen.get(&item.id).cloned().unwrap_or_default();
    let output = report.map_or("", |report| report.output.as_str());
    places
        .extend(secrets.iter().filter(|(_, secret)| output.contains(secret)).map(|(place, _)| format!("read {place}")));
    places.extend(report.iter().flat_map(|report| &report.ways).map(|way| format!("opened {way}")));
    let (outcome, detail) = match report.map(|report| &report.ended) {
        _ if !places.is_empty() => (Outcome::Escaped, places.join(", ")),
        Some(Ended::NotApplicable(why)) => (Outcome::NotApplicable, why.clone()),
        _ => (Outcome::Contained, said(report)),
    };
    Verdict {
        id: item.id.clone(),
        class: item.class.clone(),
        severity: item.severity,
        surface: item.surface.clone(),
        outcome,
        detail,
        control: item.control,
    }
}

/// What the kernel said last, and how it ended if not by itself.
fn said(report: Option<&Report>) -> String {
    let Some(report) = report else { return "NO REPORT".into() };
    let last = report.tried.last().map_or("nothing was tried", String::as_str);
    match &report.ended {
        Ended::Done => last.to_owned(),
        ended => format!("{last}; {ended:?}"),
    }
}

/// The places at which each attempt was seen, without repeats.
type Seen = BTreeMap<String, Vec<String>>;

fn sightings(field: &Field, items: &[Item], outside: &Outside) -> Seen {
    let tokens: Vec<Token> = items.iter().enumerate().map(|(at, item)| Token::of(field, &item.id, at as u16)).collect();
    let texts: HashMap<&[u8], usize> = tokens.iter().enumerate().map(|(at, token)| (token.bytes(), at)).collect();
    let (v4, v6) = marks(&tokens);
    let prefix = token::prefix(&field.seed).into_bytes();
    let mut seen = Seen::new();
    let mut note = |at: usize, place: String| {
        let places = seen.entry(items[at].id.clone()).or_default();
        if !places.contains(&place) {
            places.push(place);
        }
    };
    for (place, bytes) in &outside.got {
        carried(bytes, &prefix, &texts).into_iter().for_each(|at| note(at, place.clone()));
    }
    for (link, frame) in &outside.frames {
        carried(frame, &prefix, &texts).into_iter().for_each(|at| note(at, format!("packet on {link}")));
        let marked = addresses_v4(frame).into_iter().filter_map(|address| v4.get(&address));
        let marked = marked.chain(addresses_v6(frame).into_iter().filter_map(|address| v6.get(&address)));
        marked.for_each(|at| note(*at, format!("marked packet on {link}")));
    }
    seen
}

type Marked<T> = HashMap<T, usize>;

fn marks(tokens: &[Token]) -> (Marked<Ipv4Addr>, Marked<Ipv6Addr>) {
    let all = tokens.iter().enumerate();
    (
        all.clone()
            .flat_map(|(at, token)| [token.v4(), token.group()].into_iter().flatten().map(move |v4| (v4, at)))
            .collect(),
        all.filter_map(|(at, token)| Some((token.v6().ok()?, at))).collect(),
    )
}

/// Whose tokens are in these bytes, in any case?
fn carried(bytes: &[u8], prefix: &[u8], texts: &HashMap<&[u8], usize>) -> Vec<usize> {
    let windows = bytes.windows(token::LENGTH).filter(|window| window[..prefix.len()].eq_ignore_ascii_case(prefix));
    windows.filter_map(|window| texts.get(window.to_ascii_lowercase().as_slice()).copied()).collect()
}

/// Source and destination of IPv4, the group of a membership report, sender and target of ARP.
fn addresses_v4(frame: &[u8]) -> Vec<Ipv4Addr> {
    let offsets: &[usize] = match frame.get(12..14) {
        Some([8, 0]) => &[26, 30, 50],
        Some([8, 6]) => &[28, 38],
        _ => &[],
    };
    let at = |offset: &usize| Some(Ipv4Addr::from(*frame.get(*offset..)?.first_chunk::<4>()?));
    offsets.iter().filter_map(at).collect()
}

/// Source and destination of IPv6, and the target of a neighbour solicitation or advertisement.
fn addresses_v6(frame: &[u8]) -> Vec<Ipv6Addr> {
    let offsets: &[usize] = if frame.get(12..14) == Some(&[0x86, 0xdd]) { &[22, 38, 62] } else { &[] };
    let at = |offset: &usize| Some(Ipv6Addr::from(*frame.get(*offset..)?.first_chunk::<16>()?));
    offsets.iter().filter_map(at).collect()
}

#[cfg(test)]
mod tests;
