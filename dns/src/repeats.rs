//! Was this name denied before, and how often since it was last told?

use std::collections::HashMap;

use bottle_policy::Reason;

/// The longest name that is counted by itself, in bytes.
const NAME_MAX: usize = 256;

/// Counts denied names in bounded memory. Pure: whoever holds it decides when an interval is over.
///
/// The first denial of a name is news; further ones are counted until [`drain`](Self::drain). When there are too many
/// different names, or a name is too long, the rest share one bucket.
#[derive(Debug)]
pub struct Repeats {
    names: HashMap<Box<str>, Again>,
    capacity: usize,
    others: Option<Again>,
}

/// The denials since they were last told, without the first one ever.
type Again = Option<Tally>;

/// Denials that are told as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// Why: [`Reason::Several`] where not all had the same reason.
    pub reason: Reason,
}

impl Tally {
    /// Adds to what there is, if there is anything.
    pub fn add(self, to: &mut Option<Tally>) {
        let before = to.unwrap_or(Tally { count: 0, ..self });
        *to = Some(Tally { count: before.count.saturating_add(self.count), reason: before.reason.and(self.reason) });
    }
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
    pub again: Tally,
}

impl Repeats {
    /// Counts at most `capacity` names one by one.
    pub fn new(capacity: usize) -> Self {
        Self { names: HashMap::new(), capacity, others: None }
    }

    /// Notes one denial of `name`.
    pub fn note(&mut self, name: &str, reason: Reason) -> Noted {
        let again = Tally { count: 1, reason };
        if let Some(known) = self.names.get_mut(name) {
            again.add(known);
            return Noted::Repeated;
        }
        if name.len() <= NAME_MAX && self.names.len() < self.capacity {
            self.names.insert(name.into(), None);
            return Noted::First;
        }
        match &mut self.others {
            Some(known) => {
                again.add(known);
                Noted::Repeated
            }
            others @ None => {
                *others = Some(None);
                Noted::FirstOther
            }
        }
    }

    /// Ends an interval: what was repeated in it, by name, the shared bucket last. Names stay known.
    pub fn drain(&mut self) -> Vec<Repeated> {
        let repeated = |name: Option<&str>, again: &mut Again| {
            again.take().map(|again| Repeated { name: name.map(str::to_owned), again })
        };
        let mut all: Vec<Repeated> =
            self.names.iter_mut().filter_map(|(name, again)| repeated(Some(name), again)).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all.extend(self.others.as_mut().and_then(|again| repeated(None, again)));
        all
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

    const WHY: Reason = Reason::NoRule;

    fn repeated(name: Option<&str>, count: u64, reason: Reason) -> Repeated {
        Repeated { name: name.map(str::to_owned), again: Tally { count, reason } }
    }

    #[test]
    fn the_first_denial_of_a_name_is_told_at_once_and_further_ones_are_counted() {
        let mut repeats = Repeats::default();
        assert_eq!(repeats.note("a.example", WHY), Noted::First);
        assert_eq!(repeats.note("b.example", WHY), Noted::First);
        assert_eq!(repeats.note("a.example", WHY), Noted::Repeated);
        assert_eq!(repeats.note("a.example", WHY), Noted::Repeated);
        assert_eq!(repeats.drain(), [repeated(Some("a.example"), 2, WHY)]);
    }

    #[test]
    fn a_name_stays_known_after_an_interval() {
        let mut repeats = Repeats::default();
        repeats.note("a.example", WHY);
        assert_eq!(repeats.drain(), []);
        assert_eq!(repeats.note("a.example", WHY), Noted::Repeated);
        assert_eq!(repeats.drain().len(), 1);
        assert_eq!(repeats.drain(), []);
    }

    #[test]
    fn names_beyond_the_capacity_share_a_bucket() {
        let mut repeats = Repeats::new(1);
        assert_eq!(repeats.note("a.example", WHY), Noted::First);
        assert_eq!(repeats.note("b.example", WHY), Noted::FirstOther);
        assert_eq!(repeats.note("c.example", WHY), Noted::Repeated);
        assert_eq!(repeats.note("a.example", WHY), Noted::Repeated);
        assert_eq!(repeats.drain(), [repeated(Some("a.example"), 1, WHY), repeated(None, 1, WHY)]);
    }

    #[test]
    fn what_is_repeated_keeps_its_reason_and_a_bucket_of_several_says_so() {
        let mut repeats = Repeats::new(1);
        for name in ["a.example", "b.example", "b.example", "a.example"] {
            repeats.note(name, Reason::DohEndpoint);
        }
        repeats.note("c.example", Reason::Unparsable);
        let one = repeated(Some("a.example"), 1, Reason::DohEndpoint);
        assert_eq!(repeats.drain(), [one, repeated(None, 2, Reason::Several)]);
        repeats.note("c.example", Reason::Unparsable);
        assert_eq!(repeats.drain(), [repeated(None, 1, Reason::Unparsable)]);
    }

    #[test]
    fn a_name_too_long_to_keep_shares_the_bucket() {
        let mut repeats = Repeats::default();
        assert_eq!(repeats.note(&"a".repeat(257), WHY), Noted::FirstOther);
        assert_eq!(repeats.names.len(), 0);
    }
}
