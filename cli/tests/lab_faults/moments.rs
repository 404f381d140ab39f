//! When does a fault strike? At moments drawn from a seed: a few, or as many as the long form has.

use std::time::Duration;

/// Moments that depend on the seed alone. The seed is said, so that a failure can be seen again.
pub struct Moments {
    state: u64,
    all: usize,
    left: usize,
}

impl Moments {
    /// So many in the usual form, and so many in the long one. `BOTTLE_FAULTS_SEED` replaces the usual seed.
    pub fn of(row: &str, usual: usize, long: usize) -> Moments {
        let of_row = row
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        let seed = from_environment("BOTTLE_FAULTS_SEED").unwrap_or(1);
        let all = if is_long() { long } else { usual };
        println!("{row}: {all} moments of seed {seed}");
        Moments { state: seed ^ of_row, all, left: all }
    }

    /// The next part of the whole, from 0 up to 1; nothing when all have struck.
    pub fn draw(&mut self) -> Option<f64> {
        // SplitMix64: its 53 upper bits are a fraction.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (self.left > 0).then(|| (mixed >> 11) as f64 / (1_u64 << 53) as f64)
    }

    /// The last one that was drawn has struck something.
    pub fn struck(&mut self) {
        self.left -= 1;
    }

    /// Whether a bottle is started after this one to see that nothing is in its way: in the long form always.
    pub fn is_followed_by_a_start(&self) -> bool {
        const EACH: usize = 4;
        is_long() || (self.all - self.left).is_multiple_of(EACH)
    }
}

/// Whether `tests/faults` runs.
pub fn is_long() -> bool {
    from_environment("BOTTLE_FAULTS_LONG").is_some()
}

/// A number that whoever runs the tests may set.
pub fn from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// This part of a time.
pub fn part(of: Duration, fraction: f64) -> Duration {
    of.mul_f64(fraction)
}
