//! Which id outside is an id of an image's, where an ordinary user has a range of subordinate ids?

use serde::{Deserialize, Serialize};

/// How many ids there are inside: 0..65536.
pub const IDS: u32 = 65_536;

/// What stands for an id beyond those: nobody's.
const NOBODY: u32 = 65_534;

/// The ids inside a bottle: one of them is the caller's own, each other one lies in the caller's range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdMap {
    /// For uids.
    pub uids: OneMap,
    /// For gids.
    pub gids: OneMap,
}

/// A map of ids of one kind. Id `n` inside is `first + n` outside, but `place` is `own`: whatever the place, all others are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneMap {
    /// The first of the range's 65,536 ids outside.
    pub first: u32,
    /// The caller's id outside.
    pub own: u32,
    /// Which id inside it is, below 65,536.
    pub place: u32,
}

/// A line of uid_map: first inside, first outside, how many.
pub type Line = (u32, u32, u32);

impl IdMap {
    /// The same where the caller is another uid and gid inside.
    pub fn at(self, (uid, gid): (u32, u32)) -> IdMap {
        IdMap { uids: OneMap { place: uid, ..self.uids }, gids: OneMap { place: gid, ..self.gids } }
    }

    /// The maps of a user namespace around: all of these ids are there what they are outside.
    pub fn around(self) -> (Vec<Line>, Vec<Line>) {
        let around = |map: OneMap| vec![(map.own, map.own, 1), (map.first, map.first, IDS)];
        (around(self.uids), around(self.gids))
    }

    /// Where the caller is.
    pub fn place(self) -> (u32, u32) {
        (self.uids.place, self.gids.place)
    }

    /// A pair outside; nothing for one that nobody has inside.
    pub fn outside(self, (uid, gid): (u32, u32)) -> Option<(u32, u32)> {
        Some((self.uids.outside(uid)?, self.gids.outside(gid)?))
    }

    /// Whose a file becomes that an archive gives to this pair: nobody's, where there is no such id inside.
    pub(crate) fn given(self, (uid, gid): (u32, u32)) -> (u32, u32) {
        (self.uids.given(uid), self.gids.given(gid))
    }

    /// What the pair that owns a file is inside; what nobody is, is told as it is outside.
    pub(crate) fn inside(self, (uid, gid): (u32, u32)) -> (u32, u32) {
        (self.uids.inside(uid).unwrap_or(uid), self.gids.inside(gid).unwrap_or(gid))
    }

    /// Whether no id is named twice, none is root's, and none is beyond what ids can be.
    pub fn is_sound(self) -> bool {
        self.uids.is_sound() && self.gids.is_sound()
    }
}

impl OneMap {
    /// An id outside; nothing for one beyond those that there are.
    pub fn outside(self, inside: u32) -> Option<u32> {
        match inside {
            inside if inside == self.place => Some(self.own),
            inside if inside < IDS => Some(self.first + inside),
            _ => None,
        }
    }

    /// An id inside; nothing for one that nobody has there.
    pub fn inside(self, outside: u32) -> Option<u32> {
        if outside == self.own {
            return Some(self.place);
        }
        outside.checked_sub(self.first).filter(|inside| *inside < IDS && *inside != self.place)
    }

    fn given(self, inside: u32) -> u32 {
        self.outside(inside).or_else(|| self.outside(NOBODY)).unwrap_or(self.own)
    }

    /// As the kernel shows it in uid_map.
    pub fn lines(self) -> Vec<Line> {
        let OneMap { first, own, place } = self;
        let lines = [(0, first, place), (place, own, 1), (place + 1, first + place + 1, IDS - 1 - place)];
        lines.into_iter().filter(|(_, _, count)| *count > 0).collect()
    }

    fn is_sound(self) -> bool {
        let end = self.first.checked_add(IDS).filter(|end| *end < u32::MAX);
        let apart = |end| self.own < self.first || self.own >= end;
        self.first > 0 && self.own > 0 && self.place < IDS && end.is_some_and(apart)
    }
}

/// As /proc shows them, with single spaces.
pub fn spelled(lines: &[Line]) -> Vec<String> {
    lines.iter().map(|(inside, outside, count)| format!("{inside} {outside} {count}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(place: u32) -> OneMap {
        OneMap { first: 100_000, own: 1000, place }
    }

    #[test]
    fn each_id_inside_is_one_outside_and_the_lines_say_the_same() {
        for place in [0, 1, 1000, 65_534, 65_535] {
            let map = map(place);
            assert!(map.is_sound());
            assert_eq!(map.lines().iter().map(|line| line.2).sum::<u32>(), IDS);
            for inside in [0, 1, 33, 999, 1000, 1001, 65_534, 65_535] {
                let outside = map.outside(inside).unwrap();
                assert_eq!(outside == 1000, inside == place);
                assert_eq!(map.inside(outside), Some(inside));
                let line = map.lines().into_iter().find(|(first, _, count)| (*first..first + count).contains(&inside));
                assert_eq!(line.map(|line| line.1 + inside - line.0), Some(outside));
            }
        }
    }

    #[test]
    fn only_the_place_is_another_id_outside_where_the_caller_is_somebody_else() {
        assert_eq!((map(0).outside(33), map(1000).outside(33)), (Some(100_033), Some(100_033)));
        assert_eq!((map(0).outside(0), map(1000).outside(0)), (Some(1000), Some(100_000)));
    }

    #[test]
    fn what_is_beyond_belongs_to_nobody() {
        assert_eq!((map(0).outside(65_536), map(0).given(70_000)), (None, 165_534));
        assert_eq!((map(7).inside(100_007), map(7).inside(99_999), map(7).inside(165_536)), (None, None, None));
    }

    #[test]
    fn a_map_that_names_root_or_an_id_twice_is_none() {
        for (first, own, place) in
            [(0, 1000, 0), (100_000, 0, 0), (1000, 2000, 0), (u32::MAX - 65_536, 1, 0), (100_000, 1, 65_536)]
        {
            assert!(!OneMap { first, own, place }.is_sound(), "{first} {own} {place}");
        }
    }
}
