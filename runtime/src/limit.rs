//! How long may a workload take? To be executed, and altogether.

use std::time::{Duration, Instant};

/// How long the kernel may take over execve(2): a file system that does not answer would hold it for ever.
pub(crate) const EXECUTING: Duration = Duration::from_secs(30);

/// Which limit comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Of the time until the program is executed.
    Executing,
    /// What the caller gave the whole run.
    Timeout,
}

/// When a workload that was released at `released` has to be ended, unless something else ends it before.
pub(crate) fn next(released: Instant, timeout: Option<Duration>, executed: bool) -> Option<(Instant, Limit)> {
    let executing = (!executed).then_some((released + EXECUTING, Limit::Executing));
    let timeout = timeout.map(|timeout| (released + timeout, Limit::Timeout));
    executing.into_iter().chain(timeout).min_by_key(|(at, _)| *at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_never_executed_is_given_up_although_nobody_set_a_limit() {
        let released = Instant::now();
        assert_eq!(next(released, None, false), Some((released + EXECUTING, Limit::Executing)));
        assert_eq!(next(released, None, true), None);
    }

    #[test]
    fn the_callers_limit_covers_the_execution_too() {
        let released = Instant::now();
        let (short, long) = (EXECUTING / 2, EXECUTING * 2);
        assert_eq!(next(released, Some(short), false), Some((released + short, Limit::Timeout)));
        assert_eq!(next(released, Some(long), false), Some((released + EXECUTING, Limit::Executing)));
        assert_eq!(next(released, Some(long), true), Some((released + long, Limit::Timeout)));
    }
}
