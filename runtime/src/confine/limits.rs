//! Which limits does the workload start with?

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{ConfineError, at};

/// No core dumps: one byte, not zero, since a host's helper at the other end of a pipe is started even for zero.
/// The others stay as the caller has them: a hard limit may be one that nobody here can raise.
pub(super) fn set() -> Result<(), ConfineError> {
    let most = if getrlimit(Resource::Core).maximum == Some(0) { 0 } else { 1 };
    setrlimit(Resource::Core, Rlimit { current: Some(most), maximum: Some(most) }).map_err(at("limit core dumps"))
}

/// Whether a crash inside would start a helper of the host's all the same: with a hard limit of zero, which can't be raised.
pub fn dumps_reach_a_helper() -> bool {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern");
    reach_a_helper(getrlimit(Resource::Core).maximum, pattern.as_deref().unwrap_or("|"))
}

fn reach_a_helper(most: Option<u64>, pattern: &str) -> bool {
    most == Some(0) && pattern.starts_with(['|', '@'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_pipe_and_a_limit_that_can_not_be_one_start_a_helper() {
        assert!(reach_a_helper(Some(0), "|/usr/lib/systemd/systemd-coredump %P"));
        assert!(reach_a_helper(Some(0), "@/run/coredump.socket"));
        assert!(!reach_a_helper(Some(0), "core\n"));
        assert!(!reach_a_helper(Some(1), "|/bin/x") && !reach_a_helper(None, "|/bin/x"));
    }
}
