//! Which numbers were seen already? Kept as spans: numbers that are counted upwards need one span, however many.

use std::collections::BTreeMap;

/// A set of numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spans(BTreeMap<u64, u64>);

impl Spans {
    /// About how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        self.0.len() * 32
    }

    /// Whether the number is in the set.
    pub(super) fn contains(&self, number: u64) -> bool {
        self.span_before(number).is_some_and(|(_, last)| number <= last)
    }

    /// Puts the number into the set.
    pub(super) fn insert(&mut self, number: u64) {
        if self.contains(number) {
            return;
        }
        let first = match self.span_before(number) {
            Some((first, last)) if last + 1 == number => first,
            _ => number,
        };
        let joined = number.checked_add(1).and_then(|next| self.0.remove(&next));
        self.0.insert(first, joined.unwrap_or(number));
    }

    /// The span that begins last, not after this number.
    fn span_before(&self, number: u64) -> Option<(u64, u64)> {
        self.0.range(..=number).next_back().map(|(first, last)| (*first, *last))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_counted_upwards_need_one_span() {
        let mut spans = Spans::default();
        (1..1000).for_each(|number| spans.insert(number));
        assert_eq!(spans.0.len(), 1);
        spans.insert(u64::MAX);
        spans.insert(0);
        assert!(spans.contains(u64::MAX) && spans.contains(0) && !spans.contains(1000));
    }

    proptest! {
        #[test]
        fn spans_hold_what_a_set_holds(numbers in proptest::collection::vec(0_u64..64, 0..100)) {
            let (mut spans, mut set) = (Spans::default(), BTreeSet::new());
            for number in numbers {
                spans.insert(number);
                set.insert(number);
            }
            for number in 0..70 {
                prop_assert_eq!(spans.contains(number), set.contains(&number));
            }
        }
    }
}
