//! Was this name denied before, and how often since it was last told?

use std::collections::HashMap;

/// The longest name that is counted by itself, in bytes.
const NAME_MAX: usize = 256;

/// Counts denied names in bounded memory. Pure: whoever holds it decides when an interval is over.
///
/// The first denial of a name is news; further ones are counted until [`drain`](Self::drain). When there are too many
/// different names, or a name is too long, the rest share one bucket.
#[derive(Debug)]
pub struct Repeats {
    names: HashMap<Box<str>, u64>,
    capacity: usize,
    others: Option<u64>,
}

/// What [`Repeats::note`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// Not seen before: to be reported now.
    First,
    /// The first of those that share the bucket: to be reported now, as many other names.
    FirstOther,
    /// Counted; [`Repeats::drain`] will tell.
    Repeated,
}

/// How often a name was denied again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// The name; none stands for all that share the bucket.
    pub name: Option<String>,
    /// Denials since the last interval, without the first one ever.
    pub count: u64,
}

impl Repeats {
    /// Counts at most `capacity` names one by one.
    pub fn new(capacity: usize) -> Self {
        Self { names: HashMap::new(), capacity, others: None }
    }

    /// Notes one denial of `name`.
    pub fn note(&mut self, name: &str) -> Noted {
        if let Some(count) = self.names.get_mut(name) {
            *count += 1;
            return Noted::Repeated;
        }
        if name.len() <= NAME_MAX && self.names.len() < self.capacity {
            self.names.insert(name.into(), 0);
            return Noted::First;
        }
        match &mut self.others {
            Some(count) => {
                *count += 1;
                Noted::Repeated
            }
            others @ None => {
                *others = Some(0);
                Noted::FirstOther
            }
        }
    }

    /// Ends an interval: what was repeated in it, by name, the shared bucket last. Names stay known.
    pub fn drain(&mut self) -> Vec<Repeated> {
        let mut repeated: Vec<Repeated> = self
            .names
            .iter_mut()
            .filter(|(_, count)| **count > 0)
            .map(|(name, count)| Repeated { name: Some(name.to_string()), count: std::mem::take(count) })
            .collect();
        repeated.sort_by(|one, other| one.name.cmp(&other.name));
        let others = self.others.as_mut().map_or(0, std::mem::take);
        repeated.extend((others > 0).then_some(Repeated { name: None, count: others }));
        repeated
    }
}

impl Default for Repeats {
    /// 4096 names: about a megabyte at most.
    fn default() -> Self {
        Self::new(4096)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_denial_of_a_name_is_told_at_once_and_further_ones_are_counted() {
        let mut repeats = Repeats::default();
        assert_eq!(repeats.note("a.example"), Noted::First);
        assert_eq!(repeats.note("b.example"), Noted::First);
        assert_eq!(repeats.note("a.example"), Noted::Repeated);
        assert_eq!(repeats.note("a.example"), Noted::Repeated);
        assert_eq!(repeats.drain(), [Repeated { name: Some("a.example".into()), count: 2 }]);
    }

    #[test]
    fn a_name_stays_known_after_an_interval() {
        let mut repeats = Repeats::default();
        repeats.note("a.example");
        assert_eq!(repeats.drain(), []);
        assert_eq!(repeats.note("a.example"), Noted::Repeated);
        assert_eq!(repeats.drain().len(), 1);
        assert_eq!(repeats.drain(), []);
    }

    #[test]
    fn names_beyond_the_capacity_share_a_bucket() {
        let mut repeats = Repeats::new(1);
        assert_eq!(repeats.note("a.example"), Noted::First);
        assert_eq!(repeats.note("b.example"), Noted::FirstOther);
        assert_eq!(repeats.note("c.example"), Noted::Repeated);
        assert_eq!(repeats.note("a.example"), Noted::Repeated);
        let one = Repeated { name: Some("a.example".into()), count: 1 };
        assert_eq!(repeats.drain(), [one, Repeated { name: None, count: 1 }]);
    }

    #[test]
    fn a_name_too_long_to_keep_shares_the_bucket() {
        let mut repeats = Repeats::default();
        assert_eq!(repeats.note(&"a".repeat(257)), Noted::FirstOther);
        assert_eq!(repeats.names.len(), 0);
    }
}
