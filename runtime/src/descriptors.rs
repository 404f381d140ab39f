//! How many descriptors may this process have? A start takes more than some callers are given, and the workload is to have as
//! many as these.

use std::error::Error;
use std::io;

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
