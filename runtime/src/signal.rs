//! Which signal does a text mean? Names with and without SIG, numbers, and real-time ones as `RTMIN+3`.

use std::fmt;
use std::str::FromStr;

use nix::sys::signal::Signal as Named;
use serde::{Deserialize, Serialize};

/// The first and the last real-time signal, as C libraries count.
const REAL_TIME: [i32; 2] = [34, 64];

/// A signal's number, 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct Signal(i32);

/// Why a text is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no signal {0:?}")]
pub struct NoSignal(String);

impl Signal {
    /// Asks a process to end.
    pub const TERM: Signal = Signal(libc::SIGTERM);
    /// Ends it.
    pub const KILL: Signal = Signal(libc::SIGKILL);

    /// The number.
    pub fn number(self) -> i32 {
        self.0
    }
}

impl TryFrom<i32> for Signal {
    type Error = NoSignal;

    fn try_from(number: i32) -> Result<Signal, NoSignal> {
        if (1..=REAL_TIME[1]).contains(&number) { Ok(Signal(number)) } else { Err(NoSignal(number.to_string())) }
    }
}

impl From<Signal> for i32 {
    fn from(signal: Signal) -> i32 {
        signal.0
    }
}

impl FromStr for Signal {
    type Err = NoSignal;

    fn from_str(text: &str) -> Result<Signal, NoSignal> {
        let unknown = || NoSignal(text.to_owned());
        if let Ok(number) = text.parse::<i32>() {
            return Signal::try_from(number);
        }
        let name = text.to_ascii_uppercase();
        let name = name.strip_prefix("SIG").unwrap_or(&name);
        let number = real_time(name).or_else(|| format!("SIG{name}").parse::<Named>().ok().map(|named| named as i32));
        Signal::try_from(number.ok_or_else(unknown)?).map_err(|_| unknown())
    }
}

/// `RTMIN`, `RTMIN+n`, `RTMAX`, `RTMAX-n`.
fn real_time(name: &str) -> Option<i32> {
    let distance = |rest: &str, sign: char| match rest.strip_prefix(sign) {
        Some(digits) => digits.parse::<u8>().ok().map(i32::from),
        None => rest.is_empty().then_some(0),
    };
    let from_first = name.strip_prefix("RTMIN").and_then(|rest| Some(REAL_TIME[0] + distance(rest, '+')?));
    let number = from_first.or_else(|| Some(REAL_TIME[1] - distance(name.strip_prefix("RTMAX")?, '-')?))?;
    (REAL_TIME[0]..=REAL_TIME[1]).contains(&number).then_some(number)
}

impl fmt::Display for Signal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Named::try_from(self.0) {
            Ok(named) => formatter.write_str(named.as_str()),
            Err(_) => write!(formatter, "signal {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_many_spellings() {
        for text in ["TERM", "SIGTERM", "term", "15"] {
            assert_eq!(text.parse(), Ok(Signal::TERM), "{text}");
        }
        assert_eq!("RTMIN+3".parse::<Signal>().unwrap().number(), 37);
        assert_eq!("SIGRTMAX-1".parse::<Signal>().unwrap().number(), 63);
        assert_eq!(Signal::TERM.to_string(), "SIGTERM");
        for text in ["", "0", "65", "-1", "SIG", "TERMS", "RTMIN+31", "RTMAX-31", "RTMIN3", "RTMIN+"] {
            assert!(text.parse::<Signal>().is_err(), "{text}");
        }
    }
}
