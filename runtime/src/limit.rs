//! How long may a workload take? To be executed, to hear of a signal before that, and altogether.

use std::time::{Duration, Instant};

/// How long the kernel may take over execve(2): a file system that does not answer would hold it for ever.
pub(crate) const EXECUTING: Duration = Duration::from_secs(30);

/// How long a signal may wait for the program that is to heed it.
const HEEDING: Duration = Duration::from_secs(1);

/// Who asks so often within this time wants an end whatever the command says.
const INSISTING: (usize, Duration) = (3, Duration::from_secs(5));

/// The last times at which somebody asked the command to end.
#[derive(Debug, Default)]
pub(crate) struct Insistence(Vec<Instant>);

/// What to do about being asked once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The command has been told, and may take its time.
    Told,
    /// Once more would be often enough: say so.
    Almost,
    /// It must end.
    Enough,
}

impl Insistence {
    pub(crate) fn asked(&mut self, now: Instant) -> Asked {
        let (often, within) = INSISTING;
        self.0.retain(|before| now.duration_since(*before) < within);
        self.0.push(now);
        match self.0.len() {
            count if count >= often => Asked::Enough,
            count if count + 1 == often => Asked::Almost,
            _ => Asked::Told,
        }
    }
}

/// How far a released workload has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nobody has said yet that its program was executed.
    Executing {
        /// The first signal that came for it meanwhile, and when. It was passed on.
        signalled: Option<(Instant, i32)>,
    },
    /// It was.
    Executed,
}

/// Which limit comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Of the time until the program is executed.
    Executing,
    /// Of the time that this signal waits for it.
    Heeding(i32),
    /// What the caller gave the whole run.
    Timeout,
    /// Of the time that whoever stopped it gave it.
    Stopped,
}

impl Stage {
    /// As it is after a signal for the workload was passed on.
    pub(crate) fn signalled(self, now: Instant, number: i32) -> Stage {
        match self {
            Stage::Executing { signalled: None } => Stage::Executing { signalled: Some((now, number)) },
            other => other,
        }
    }
}

/// When a workload that was released at `released` has to be ended, unless something else ends it before.
pub(crate) fn next(
    released: Instant,
    timeout: Option<Duration>,
    stage: Stage,
    stopped: Option<Instant>,
) -> Option<(Instant, Limit)> {
    let timeout = timeout.map(|timeout| (released + timeout, Limit::Timeout));
    let stopped = stopped.map(|until| (until, Limit::Stopped));
    let (executing, heeding) = match stage {
        Stage::Executed => (None, None),
        Stage::Executing { signalled } => (
            Some((released + EXECUTING, Limit::Executing)),
            signalled.map(|(at, number)| (at + HEEDING, Limit::Heeding(number))),
        ),
    };
    [executing, heeding, timeout, stopped].into_iter().flatten().min_by_key(|(at, _)| *at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asks_often_in_a_short_time_is_heeded_against_the_command() {
        let (start, mut insistence) = (Instant::now(), Insistence::default());
        let mut asked = |seconds| insistence.asked(start + Duration::from_secs(seconds));
        assert_eq!(
            [asked(0), asked(4), asked(6), asked(8)],
            [Asked::Told, Asked::Almost, Asked::Almost, Asked::Enough]
        );
        assert_eq!(asked(60), Asked::Told);
    }

    const EXECUTING_STILL: Stage = Stage::Executing { signalled: None };

    #[test]
    fn a_program_that_is_never_executed_is_given_up_although_nobody_set_a_limit() {
        let released = Instant::now();
        assert_eq!(next(released, None, EXECUTING_STILL, None), Some((released + EXECUTING, Limit::Executing)));
        assert_eq!(next(released, None, Stage::Executed, None), None);
    }

    #[test]
    fn the_callers_limit_covers_the_execution_too() {
        let released = Instant::now();
        let (short, long) = (EXECUTING / 2, EXECUTING * 2);
        assert_eq!(next(released, Some(short), EXECUTING_STILL, None), Some((released + short, Limit::Timeout)));
        assert_eq!(next(released, Some(long), EXECUTING_STILL, None), Some((released + EXECUTING, Limit::Executing)));
        assert_eq!(next(released, Some(long), Stage::Executed, None), Some((released + long, Limit::Timeout)));
    }

    #[test]
    fn who_stops_a_run_gives_it_a_time_of_its_own() {
        let released = Instant::now();
        let until = released + EXECUTING / 3;
        assert_eq!(next(released, None, Stage::Executed, Some(until)), Some((until, Limit::Stopped)));
        assert_eq!(
            next(released, Some(EXECUTING / 4), Stage::Executed, Some(until)).map(|(_, limit)| limit),
            Some(Limit::Timeout)
        );
    }

    #[test]
    fn a_signal_waits_for_its_program_a_while_and_a_second_one_no_longer() {
        let released = Instant::now();
        let later = released + HEEDING / 2;
        let stage = EXECUTING_STILL.signalled(released, 15).signalled(later, 2);
        assert_eq!(next(released, None, stage, None), Some((released + HEEDING, Limit::Heeding(15))));
        assert_eq!(Stage::Executed.signalled(later, 2), Stage::Executed);
    }
}
