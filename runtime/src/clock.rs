//! What time is it? Asked here only.

use std::time::{SystemTime, UNIX_EPOCH};

use bottle_evidence::Time;

/// Now, by the host's clock, in microseconds. A clock before 1970 counts as 1970.
pub(crate) fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}
