//! How much of something may there be in a while? As much as there ever is in good order, and no more.

use std::time::{Duration, Instant};

/// A token bucket.
#[derive(Debug)]
pub(super) struct Allowance {
    burst: u32,
    each: Duration,
    left: u32,
    /// Up to when what was earned is in `left`.
    counted: Instant,
}

impl Allowance {
    /// A full one: so many at once, and one more each time that so long has passed.
    pub(super) fn new(burst: u32, each: Duration, now: Instant) -> Allowance {
        Allowance { burst, each, left: burst, counted: now }
    }

    /// Whether there may be one more now.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let may = self.left(now) > 0;
        self.spend(u32::from(may));
        may
    }

    /// How many more there may be now.
    pub(super) fn left(&mut self, now: Instant) -> u32 {
        let earned = now.saturating_duration_since(self.counted).as_nanos() / self.each.as_nanos();
        let earned = u32::try_from(earned).unwrap_or(u32::MAX);
        self.counted = if earned >= self.burst { now } else { self.counted + self.each * earned };
        self.left = self.left.saturating_add(earned).min(self.burst);
        self.left
    }

    /// So many were there.
    pub(super) fn spend(&mut self, count: u32) {
        self.left = self.left.saturating_sub(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BURST: u32 = 8192;
    const EACH: Duration = Duration::from_millis(4);

    fn taken(allowance: &mut Allowance, now: Instant) -> usize {
        std::iter::repeat_with(|| allowance.take(now)).take_while(|may| *may).count()
    }

    #[test]
    fn a_burst_passes_and_what_follows_is_earned_one_by_one() {
        let begun = Instant::now();
        let mut allowance = Allowance::new(BURST, EACH, begun);
        assert_eq!(taken(&mut allowance, begun), BURST as usize);
        assert_eq!(taken(&mut allowance, begun + EACH * 5 / 2), 2);
        assert_eq!(taken(&mut allowance, begun + EACH * 3), 1);
        assert_eq!(taken(&mut allowance, begun + EACH * BURST * 9), BURST as usize);
    }
}
