//! How many descriptors may this process have? A start takes more than some callers are given, and the workload is to have as
//! many as these.

use std::error::Error;
use std::io;
use std::os::fd::AsFd;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What to do where there are too few.
pub const HINT: &str = "allow more open files: `ulimit -n 1024`, or more where many connections are made at once";

/// Raises the soft limit of this process to the hard one, which needs no right. Returns the soft limit before, for
/// [`RunOptions::descriptors`](crate::RunOptions::descriptors); nothing where it stays what it was.
pub fn raise() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let before = limit.current.filter(|soft| Some(*soft) != limit.maximum)?;
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).ok()?;
    Some(before)
}

/// More than a start opens at once.
const ROOM: i32 = 512;

/// Has the kernel make room for as many as a start opens, by `known`, which is open. Called before the first thread is begun: where
/// threads share the table of descriptors, each time that it grows waits for a grace period of RCU, some ten milliseconds.
///
/// Nothing depends on it: a limit that is lower only leaves the table to grow later.
pub(crate) fn make_room(known: impl AsFd) {
    drop(rustix::io::fcntl_dupfd_cloexec(known, ROOM - 1));
}

/// Sets the soft limit and leaves the hard one.
pub(crate) fn limit(soft: u64) -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(soft), ..limit })?)
}

/// Whether an error comes from there being too few, or too many of the user's being on their way between processes (109), which
/// the same limit bounds. What another process says of its errors is words only.
pub(crate) fn lacks(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if ["EMFILE", "(os error 24)", "(os error 109)"].iter().any(|word| text.contains(word)) {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_all_that_a_start_opens_before_it_opens_them() {
        raise();
        make_room(std::fs::File::open("/dev/null").unwrap());
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let size = status.lines().find_map(|line| line.strip_prefix("FDSize:")).unwrap();
        assert!(size.trim().parse::<i32>().unwrap() >= ROOM, "{size}");
    }
}
