//! Which limits does a caller ask for, and how are they written? As docker's users write them.

use std::fmt;
use std::str::FromStr;

use super::Controller;

/// What a run may use altogether. What is not there is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Memory; as much again of swap, where there is any.
    pub memory: Option<Memory>,
    /// Processor time.
    pub cpus: Option<Cpus>,
    /// Processes and threads.
    pub processes: Option<Processes>,
}

impl Limits {
    /// Whoever is killed when a limit of memory is reached must not be init, which may be larger than each process of many.
    pub(crate) fn readily_killed(&self) -> Option<u16> {
        const FIRST: u16 = 1000;
        self.memory.map(|_| FIRST)
    }

    /// The controllers that these take.
    pub(crate) fn controllers(&self) -> impl Iterator<Item = Controller> {
        let asked = [
            (Controller::Memory, self.memory.is_some()),
            (Controller::Cpu, self.cpus.is_some()),
            (Controller::Pids, self.processes.is_some()),
        ];
        asked.into_iter().filter_map(|(controller, asked)| asked.then_some(controller))
    }
}

/// Why something is no amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Amount(String);

/// Bytes of memory: at least [`Memory::LEAST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Memory(u64);

impl Memory {
    /// With less than this nothing can be started.
    pub const LEAST: Memory = Memory(6 << 20);

    /// How many bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Memory {
    type Err = Amount;

    /// As [`bytes`].
    fn from_str(text: &str) -> Result<Memory, Amount> {
        match bytes(text)? {
            bytes if bytes >= Memory::LEAST.0 => Ok(Memory(bytes)),
            _ => Err(Amount(format!("less than {}, with which nothing can be started", Memory::LEAST))),
        }
    }
}

/// A number of bytes: `512m`, `1.5g`, `268435456`; the units are powers of 1024, in either case, and may end in `b` or `ib`.
///
/// # Errors
/// [`Amount`], in words.
pub fn bytes(text: &str) -> Result<u64, Amount> {
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let shift = match &lower[digits.len()..] {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        unit => return Err(Amount(format!("no such unit of memory: {unit}; write k, m or g"))),
    };
    let thousandths = thousandths(digits).ok_or_else(|| Amount("not a number of bytes, such as 512m".into()))?;
    let bytes = u128::from(thousandths) * (1 << shift) / 1000;
    let bytes = u64::try_from(bytes).ok().filter(|bytes| *bytes <= i64::MAX as u64);
    bytes.ok_or_else(|| Amount("more than a machine can have".into()))
}

impl fmt::Display for Memory {
    /// In the largest unit of which it is a whole number.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
        match units.iter().find(|(shift, _)| self.0.is_multiple_of(1 << shift)) {
            Some((shift, unit)) => write!(formatter, "{} {unit}", self.0 >> shift),
            None => write!(formatter, "{} bytes", self.0),
        }
    }
}

/// How many processors' time: a hundredth at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cpus(u64);

impl Cpus {
    /// A hundredth.
    pub const LEAST: Cpus = Cpus(10);

    /// The stretch of time within which the quota may be used, in microseconds.
    pub(crate) const PERIOD: u64 = 100_000;

    /// Whether there are not so many.
    pub fn exceed(self, processors: usize) -> bool {
        self.0 > processors as u64 * 1000
    }

    /// Microseconds in each period.
    pub(crate) fn quota(self) -> u64 {
        self.0 * Cpus::PERIOD / 1000
    }
}

impl FromStr for Cpus {
    type Err = Amount;

    /// `2`, `1.5`, `0.25`: thousandths count.
    fn from_str(text: &str) -> Result<Cpus, Amount> {
        match thousandths(text.trim()) {
            Some(thousandths @ 10..=1_000_000_000) => Ok(Cpus(thousandths)),
            Some(_) => Err(Amount("not a number of processors from 0.01 on".into())),
            None => Err(Amount("not a number of processors, such as 1.5".into())),
        }
    }
}

/// How many processes and threads at a time. Bottle's own init is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Processes(u32);

impl Processes {
    /// At least one.
    pub fn most(number: u32) -> Option<Processes> {
        (1..=i32::MAX as u32 - 1).contains(&number).then_some(Processes(number))
    }

    /// The same with init.
    pub(crate) fn with_init(self) -> u64 {
        u64::from(self.0) + 1
    }
}

impl fmt::Display for Processes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A decimal number in thousandths; what is finer is left out.
fn thousandths(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_a_number_and_a_unit() {
        let bytes = |text: &str| text.parse::<Memory>().map(Memory::bytes).map_err(|error| error.to_string());
        for (text, expected) in
            [("512m", 512 << 20), ("1g", 1 << 30), ("1.5G", 3 << 29), ("6291456", 6 << 20), ("64MiB", 64 << 20)]
        {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for wrong in ["", "m", "0", "-1", "1q", "5m", "1.g", ".5g", "1e9", "9999999t", "99999999999999999999"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
        assert_eq!("64m".parse::<Memory>().unwrap().to_string(), "64 MiB");
        assert_eq!(Memory(6_300_001).to_string(), "6300001 bytes");
    }

    #[test]
    fn processors_are_a_decimal_number() {
        let quota = |text: &str| text.parse::<Cpus>().map(Cpus::quota);
        assert_eq!(["2", "2.001"].map(|text| text.parse::<Cpus>().unwrap().exceed(2)), [false, true]);
        assert_eq!([quota("2"), quota("1.5"), quota("0.01")], [Ok(200_000), Ok(150_000), Ok(1_000)]);
        for wrong in ["", "0", "0.001", "-1", "1,5", "two", "1.5.1"] {
            assert!(quota(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_what_is_asked_for_takes_a_controller() {
        assert_eq!(Limits::default().controllers().count(), 0);
        let limits = Limits { processes: Processes::most(5), ..Limits::default() };
        assert_eq!(limits.controllers().collect::<Vec<_>>(), [Controller::Pids]);
        assert_eq!(Processes::most(0), None);
    }
}
