//! What may one input cost? Memory in proportion to its length, and a time that no reader should come near.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::sys;

/// Memory that a reader may hold for each byte of the input, beyond what it may hold for any.
const MEMORY_EACH: usize = 512;

/// Processor time for one input, with debug assertions and counters compiled in.
const TIME: Duration = Duration::from_secs(1);

/// Runs a reader over an input of this length; it may hold so much memory for any input.
///
/// # Panics
/// If it took too much.
pub(crate) fn within<T>(length: usize, memory: usize, read: impl FnOnce() -> T) -> T {
    let before = used();
    let (reading, held) = sys::peak(read);
    let took = used() - before;
    let most = memory + MEMORY_EACH * length;
    assert!(held <= most, "{held} bytes were held for {length} bytes of input, of {most} that may be");
    assert!(took <= TIME, "{took:?} for {length} bytes of input");
    reading
}

/// Processor time of this thread: other programs do not count.
fn used() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_input_is_worth_is_allowed() {
        assert_eq!(within(4096, 1 << 20, || vec![0_u8; 2 << 20].len()), 2 << 20);
    }

    #[test]
    #[should_panic(expected = "bytes were held")]
    fn memory_beyond_the_input_is_found_though_it_is_given_back() {
        within(10, 1 << 20, || drop(vec![0_u8; 2 << 20]));
    }

    #[test]
    #[should_panic(expected = "bytes of input")]
    fn time_without_end_is_found() {
        within(10, 1 << 20, || while used() < Duration::from_secs(3) {});
    }
}
