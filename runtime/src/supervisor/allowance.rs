//! How many reports may a gate make? Enough for one in order, few enough that a compromised one can't fill the disk.

use std::time::{Duration, Instant};

/// Reports at once: each name that the sinkhole tells apart, and as many packets.
const BURST: u32 = 8192;

/// How long one more takes to be earned.
const EACH: Duration = Duration::from_millis(4);

/// A token bucket.
#[derive(Debug)]
pub(super) struct Allowance {
    left: u32,
    /// Up to when what was earned is in `left`.
    counted: Instant,
}

impl Allowance {
    /// A full one.
    pub(super) fn new(now: Instant) -> Allowance {
        Allowance { left: BURST, counted: now }
    }

    /// Whether one more report may be made now.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let earned = now.saturating_duration_since(self.counted).as_nanos() / EACH.as_nanos();
        let earned = u32::try_from(earned).unwrap_or(u32::MAX);
        self.counted = if earned >= BURST { now } else { self.counted + EACH * earned };
        self.left = self.left.saturating_add(earned).min(BURST);
        let may = self.left > 0;
        self.left -= u32::from(may);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(allowance: &mut Allowance, now: Instant) -> usize {
        std::iter::repeat_with(|| allowance.take(now)).take_while(|may| *may).count()
    }

    #[test]
    fn a_burst_passes_and_what_follows_is_earned_one_by_one() {
        let begun = Instant::now();
        let mut allowance = Allowance::new(begun);
        assert_eq!(taken(&mut allowance, begun), BURST as usize);
        assert_eq!(taken(&mut allowance, begun + EACH * 5 / 2), 2);
        assert_eq!(taken(&mut allowance, begun + EACH * 3), 1);
        assert_eq!(taken(&mut allowance, begun + EACH * BURST * 9), BURST as usize);
    }
}
