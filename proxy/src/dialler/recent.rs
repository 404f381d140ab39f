//! Which names were resolved lately? Those whose answers are still good; the resolver keeps records, and puts an answer together
//! from them anew each time, which takes longer than everything else before a dial.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bottle_policy::Name;

use super::resolve::{Addresses, CACHED_NAMES};

/// Answers of one source, each until its TTL ends.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<HashMap<Name, Answer>>);

#[derive(Debug)]
struct Answer {
    addrs: Vec<IpAddr>,
    until: Instant,
}

impl Recent {
    /// The answer for this name, if it is still good.
    pub(super) fn find(&self, name: &Name, now: Instant) -> Option<Addresses> {
        let answers = self.lock();
        let answer = answers.get(name).filter(|answer| answer.until > now)?;
        Some(Addresses { addrs: answer.addrs.clone(), ttl: answer.until - now })
    }

    /// Keeps an answer. Where there are too many, all others are forgotten: the resolver still knows them.
    pub(super) fn keep(&self, name: &Name, addrs: &[IpAddr], until: Instant) {
        let mut answers = self.lock();
        if answers.len() as u64 >= CACHED_NAMES {
            answers.clear();
        }
        answers.insert(name.clone(), Answer { addrs: addrs.to_vec(), until });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Name, Answer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).expect("a name")
    }

    #[test]
    fn an_answer_is_good_for_its_ttl_and_no_longer() {
        let (recent, now, second) = (Recent::default(), Instant::now(), Duration::from_secs(1));
        let addrs = [IpAddr::from([11, 0, 0, 1])];
        recent.keep(&name("a.example"), &addrs, now + second);
        let found = recent.find(&name("a.example"), now);
        assert_eq!(found, Some(Addresses { addrs: addrs.to_vec(), ttl: second }));
        assert_eq!(recent.find(&name("a.example"), now + second), None);
        assert_eq!(recent.find(&name("b.example"), now), None);
    }

    #[test]
    fn answers_are_bounded_in_number() {
        let (recent, now) = (Recent::default(), Instant::now());
        for count in 0..=CACHED_NAMES {
            recent.keep(&name(&format!("n{count}.example")), &[], now);
        }
        assert!(recent.lock().len() as u64 <= CACHED_NAMES);
    }
}
