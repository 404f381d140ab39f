//! How is a moment written? UTC, with microseconds: `2026-01-02T03:04:05.000006Z`, and no other way.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment, in microseconds since 1970, up to the last days of the year 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

/// 9999-12-30T21:59:59.999999Z: later moments have no RFC 3339 spelling in every time zone.
const END: u64 = 253_402_207_199_999_999;

impl Time {
    /// The moment this many microseconds after 1970 began; the last one there is where that is later.
    pub const fn from_micros(micros: u64) -> Time {
        Time(if micros < END { micros } else { END })
    }

    /// Microseconds since 1970 began.
    pub fn micros(self) -> u64 {
        self.0
    }

    /// How long after the other moment this one is; zero if it is before.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Time {
    type Output = Time;

    fn add(self, duration: Duration) -> Time {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Time::from_micros(self.0.saturating_add(micros))
    }
}

/// A clock that is set before 1970 reads as 1970.
impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Time {
        Time(0) + time.duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

/// A text that is not a moment in the one spelling.
#[derive(Debug, thiserror::Error)]
#[error("not a time: one like 2026-01-02T03:04:05.000006Z is expected")]
pub struct NotATime;

impl Time {
    /// Reads any spelling of RFC 3339, as people write; records have one only.
    ///
    /// # Errors
    /// [`NotATime`] for anything else, and before 1970.
    pub fn from_rfc3339(text: &str) -> Result<Time, NotATime> {
        let stamp: Timestamp = text.parse().map_err(|_| NotATime)?;
        u64::try_from(stamp.as_microsecond()).map(Time::from_micros).map_err(|_| NotATime)
    }
}

impl FromStr for Time {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Time, NotATime> {
        let time = Time::from_rfc3339(text)?;
        if time.to_string() == text { Ok(time) } else { Err(NotATime) }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stamp = Timestamp::from_microsecond(self.0.cast_signed()).map_err(|_| fmt::Error)?;
        write!(f, "{stamp:.6}")
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::parsed(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_one_spelling() {
        let time = Time::from_micros(1_767_323_045_000_006);
        assert_eq!(time.to_string(), "2026-01-02T03:04:05.000006Z");
        assert_eq!("2026-01-02T03:04:05.000006Z".parse::<Time>().unwrap(), time);
        for other in [
            "2026-01-02T03:04:05Z",
            "2026-01-02t03:04:05.000006z",
            "2026-01-02T04:04:05.000006+01:00",
            "2026-01-02T03:04:05.0000060Z",
            "1969-12-31T23:59:59.000000Z",
            "",
        ] {
            assert!(other.parse::<Time>().is_err(), "{other}");
        }
    }

    #[test]
    fn the_last_moment_can_be_written_and_read() {
        let last = Time::from_micros(u64::MAX);
        assert_eq!(last.to_string().parse::<Time>().unwrap(), last);
    }
}
