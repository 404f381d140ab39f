//! How much may each process of a workload use? What `--ulimit` asks for (getrlimit(2)), as far as the host allows it.

use std::fmt;
use std::io;
use std::str::FromStr;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::CapabilitySet;
use serde::{Deserialize, Serialize};

/// A limit by its name in limits.conf(5), as docker's users write it. `None` means without limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ulimit {
    name: String,
    soft: Option<u64>,
    hard: Option<u64>,
}

#[rustfmt::skip]
const NAMES: [(&str, Resource, &str); 15] = [
    ("as", Resource::As, "address space"), ("cpu", Resource::Cpu, "cpu time"), ("data", Resource::Data, "data size"),
    ("fsize", Resource::Fsize, "file size"), ("locks", Resource::Locks, "file locks"),
    ("memlock", Resource::Memlock, "locked memory"), ("msgqueue", Resource::Msgqueue, "msgqueue size"),
    ("nice", Resource::Nice, "nice priority"), ("nofile", Resource::Nofile, "open files"),
    ("nproc", Resource::Nproc, "processes"), ("rss", Resource::Rss, "resident set"),
    ("rtprio", Resource::Rtprio, "realtime priority"), ("rttime", Resource::Rttime, "realtime timeout"),
    ("sigpending", Resource::Sigpending, "pending signals"), ("stack", Resource::Stack, "stack size"),
];

/// Why something is no limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UlimitError {
    /// It is not written as it must be.
    #[error("{0:?} is not NAME=SOFT[:HARD]")]
    Form(String),
    /// There is no such limit.
    #[error("there is no limit {0:?}")]
    Unknown(String),
    /// Core dumps are not for callers to allow.
    #[error("core dumps are off inside, whatever the limit")]
    Core,
    /// The soft limit would be above the hard one.
    #[error("{0:?}: the soft limit is above the hard one")]
    Above(String),
}

impl UlimitError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            UlimitError::Form(_) | UlimitError::Above(_) => {
                "write --ulimit nofile=1024:4096, or -1 for no limit".into()
            }
            UlimitError::Unknown(_) => {
                let names: Vec<&str> = NAMES.iter().map(|(name, ..)| *name).collect();
                format!("these there are: {}", names.join(", "))
            }
            UlimitError::Core => "leave it out".into(),
        }
    }
}

impl FromStr for Ulimit {
    type Err = UlimitError;

    fn from_str(text: &str) -> Result<Ulimit, UlimitError> {
        let form = || UlimitError::Form(text.to_owned());
        let (name, values) = text.split_once('=').ok_or_else(form)?;
        if name == "core" {
            return Err(UlimitError::Core);
        }
        if resource(name).is_none() {
            return Err(UlimitError::Unknown(name.to_owned()));
        }
        let (soft, hard) = values.split_once(':').unwrap_or((values, values));
        let value = |text: &str| match text {
            "-1" | "unlimited" => Ok(None),
            number => number.parse().map(Some).map_err(|_| form()),
        };
        let (soft, hard) = (value(soft)?, value(hard)?);
        match lower(soft, hard) == soft {
            true => Ok(Ulimit { name: name.to_owned(), soft, hard }),
            false => Err(UlimitError::Above(text.to_owned())),
        }
    }
}

impl fmt::Display for Ulimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}:{}", self.name, Shown(self.soft), Shown(self.hard))
    }
}

struct Shown(Option<u64>);

impl fmt::Display for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => number.fmt(formatter),
            None => formatter.write_str("unlimited"),
        }
    }
}

impl Ulimit {
    /// As much of it as this process can set, and a sentence where that is not all.
    pub(crate) fn adapted(self) -> (Ulimit, Option<String>) {
        let own = resource(&self.name).map(|(resource, _)| getrlimit(resource).maximum);
        match own {
            Some(Some(most)) if !may_raise() => self.within(most),
            _ => (self, None),
        }
    }

    fn within(self, most: u64) -> (Ulimit, Option<String>) {
        let (soft, hard) = (lower(self.soft, Some(most)), lower(self.hard, Some(most)));
        let adapted = Ulimit { name: self.name.clone(), soft, hard };
        let all = (adapted != self).then(|| {
            format!(
                "--ulimit {self}: the hard limit of the shell that started bottle is {most}, so it is {adapted} inside"
            )
        });
        (adapted, all)
    }

    /// Sets it for the calling process and what it executes.
    pub(crate) fn set(&self) -> io::Result<()> {
        let (resource, _) = resource(&self.name).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(setrlimit(resource, Rlimit { current: self.soft, maximum: self.hard })?)
    }

    /// Its soft and hard limit in the text of /proc/PID/limits, where it is as it was set.
    pub(crate) fn found_in(&self, limits: &str) -> Option<String> {
        let (_, label) = resource(&self.name)?;
        let line = limits.lines().find_map(|line| line.strip_prefix("Max ")?.strip_prefix(label))?;
        let mut values = line.split_whitespace();
        let (soft, hard) = (values.next()?, values.next()?);
        let holds = soft == Shown(self.soft).to_string() && hard == Shown(self.hard).to_string();
        holds.then(|| format!("{soft}:{hard}"))
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

fn resource(name: &str) -> Option<(Resource, &'static str)> {
    NAMES.iter().find(|(known, ..)| *known == name).map(|(_, resource, label)| (*resource, *label))
}

/// The lower of two limits, of which none is the highest.
fn lower(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Root may lack the right, as in most containers.
fn may_raise() -> bool {
    rustix::thread::capabilities(None).is_ok_and(|held| held.effective.contains(CapabilitySet::SYS_RESOURCE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ulimit(text: &str) -> Ulimit {
        text.parse().unwrap()
    }

    #[test]
    fn a_limit_is_a_name_and_one_or_two_numbers() {
        assert_eq!(ulimit("nofile=1024").to_string(), "nofile=1024:1024");
        assert_eq!(ulimit("nproc=10:-1").to_string(), "nproc=10:unlimited");
        for wrong in ["nofile", "nofile=", "nofile=x", "nofile=9:8", "nofile=-1:8", "core=0", "files=3", "nofile=-2"] {
            let error = wrong.parse::<Ulimit>().unwrap_err();
            assert!(!error.hint().is_empty(), "{wrong}");
        }
    }

    #[test]
    fn what_the_host_does_not_allow_is_lowered_and_said() {
        let (adapted, said) = ulimit("nofile=1024:-1").within(20_000);
        assert_eq!(adapted.to_string(), "nofile=1024:20000");
        assert!(said.unwrap().contains("is 20000, so it is nofile=1024:20000 inside"));
        assert_eq!(ulimit("nofile=64:128").within(20_000), (ulimit("nofile=64:128"), None));
    }

    #[test]
    fn what_the_kernel_says_of_a_limit_is_found_by_its_own_name() {
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
        for (name, resource, _) in NAMES {
            let Rlimit { current, maximum } = getrlimit(resource);
            let own = Ulimit { name: name.to_owned(), soft: current, hard: maximum };
            assert!(own.found_in(&limits).is_some(), "{own}");
            let other = Ulimit { soft: Some(current.unwrap_or(0) ^ 1), ..own };
            assert_eq!(other.found_in(&limits), None, "{other}");
        }
    }
}
