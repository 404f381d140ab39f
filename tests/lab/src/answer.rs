//! What does the lab's DNS say about a name? A table of answers, and how a query is matched with it. Pure.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use crate::addresses::{ATTACKER, ATTACKER_V6, BLACKHOLE, BLACKHOLE_V6, UNREACHABLE, UNREACHABLE_V6, WEB, WEB_V6};

/// What the DNS says about one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Address records with this time to live in seconds; a family without an address is NODATA.
    Addresses(Vec<IpAddr>, u32),
    /// The next answer for each query of either family, with time to live 0; the last one stays. This is how names rebind.
    Sequence(Vec<Vec<IpAddr>>),
    /// An alias; its target's addresses come along when the table has them.
    Alias(String),
    /// A TXT record.
    Text(String),
    /// No such name.
    Missing,
    /// A server failure.
    Failure,
    /// No answer at all.
    Silence,
    /// These addresses, in an answer to a question about another name.
    Foreign(Vec<IpAddr>),
    /// These addresses, in an answer with another number.
    Forged(Vec<IpAddr>),
    /// So many address records as fit into 64 KiB: over UDP the answer is cut, over TCP it is whole.
    Huge(Ipv4Addr),
}

/// The names of the lab's internet, lower case and without the last dot; `*.example` stands for everything below.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    names: BTreeMap<String, Answer>,
}

impl Default for Zone {
    /// The names that every lab has; `docs` of [`crate::Options`] lists what they are for.
    fn default() -> Self {
        let web = || Answer::Addresses(vec![WEB.into(), WEB_V6.into()], 60);
        let v4 = |a, b, c, d| Answer::Addresses(vec![Ipv4Addr::new(a, b, c, d).into()], 60);
        let mut zone = Self { names: BTreeMap::new() };
        for (name, answer) in [
            ("api.allowed.example", web()),
            ("*.allowed.example", web()),
            ("allowed.example", web()),
            ("web.lab.example", web()),
            ("alias.lab.example", Answer::Alias("web.lab.example".into())),
            ("v4only.lab.example", Answer::Addresses(vec![WEB.into()], 60)),
            ("v6only.lab.example", Answer::Addresses(vec![WEB_V6.into()], 60)),
            ("ssh.lab.example", v4(11, 1, 0, 22)),
            ("db.lab.example", v4(11, 1, 0, 54)),
            ("evil.attacker.example", Answer::Addresses(vec![ATTACKER.into(), ATTACKER_V6.into()], 60)),
            ("private.lab.example", v4(10, 1, 2, 3)),
            ("loopback.lab.example", v4(127, 0, 0, 1)),
            ("metadata.lab.example", v4(169, 254, 169, 254)),
            ("mixed.lab.example", Answer::Addresses(vec![WEB.into(), Ipv4Addr::new(10, 1, 2, 3).into()], 60)),
            ("rebind.lab.example", Answer::Sequence(vec![vec![WEB.into()], vec![Ipv4Addr::new(10, 1, 2, 3).into()]])),
            ("unreachable.lab.example", Answer::Addresses(vec![UNREACHABLE.into(), UNREACHABLE_V6.into()], 60)),
            ("blackhole.lab.example", Answer::Addresses(vec![BLACKHOLE.into(), BLACKHOLE_V6.into()], 60)),
            ("nodata.lab.example", Answer::Addresses(Vec::new(), 60)),
            ("failure.lab.example", Answer::Failure),
            ("silence.lab.example", Answer::Silence),
        ] {
            zone.set(name, answer);
        }
        zone
    }
}

impl Zone {
    /// Sets what is said about a name from now on.
    pub fn set(&mut self, name: &str, answer: Answer) {
        self.names.insert(plain(name), answer);
    }

    /// What the table says about a name: its own line, else the nearest wildcard above it, else that it is missing.
    pub fn find(&self, name: &str) -> Answer {
        self.line(name).map_or(Answer::Missing, |key| self.names[&key].clone())
    }

    /// Like [`Zone::find`], and moves a sequence on by one.
    pub fn ask(&mut self, name: &str) -> Answer {
        let Some(key) = self.line(name) else {
            return Answer::Missing;
        };
        match self.names.get_mut(&key) {
            Some(Answer::Sequence(steps)) if steps.len() > 1 => Answer::Addresses(steps.remove(0), 0),
            Some(Answer::Sequence(steps)) => Answer::Addresses(steps.first().cloned().unwrap_or_default(), 0),
            Some(answer) => answer.clone(),
            None => Answer::Missing,
        }
    }

    fn line(&self, name: &str) -> Option<String> {
        let name = plain(name);
        if self.names.contains_key(&name) {
            return Some(name);
        }
        let mut rest = name.as_str();
        while let Some((_, above)) = rest.split_once('.') {
            let wildcard = format!("*.{above}");
            if self.names.contains_key(&wildcard) {
                return Some(wildcard);
            }
            rest = above;
        }
        None
    }
}

fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unlisted_name_is_missing() {
        assert_eq!(Zone::default().find("nowhere.test"), Answer::Missing);
    }

    #[test]
    fn a_wildcard_covers_what_is_below_it_and_not_itself() {
        let mut zone = Zone::default();
        zone.set("*.wild.test", Answer::Failure);
        assert_eq!(zone.find("A.B.wild.test."), Answer::Failure);
        assert_eq!(zone.find("wild.test"), Answer::Missing);
    }

    #[test]
    fn a_sequence_moves_on_and_keeps_its_last_answer() {
        let mut zone = Zone::default();
        let first = Answer::Addresses(vec![WEB.into()], 0);
        let last = Answer::Addresses(vec![Ipv4Addr::new(10, 1, 2, 3).into()], 0);
        let asked: Vec<Answer> = (0..3).map(|_| zone.ask("rebind.lab.example")).collect();
        assert_eq!(asked, [first, last.clone(), last]);
    }
}
