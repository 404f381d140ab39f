//! How did the time of a workload come to an end, and what is told of it?

use crate::init::message::{End, Failure};
use crate::limit::{EXECUTING, Limit};
use crate::outcome::Status;

/// How the time of a workload came to an end.
pub(crate) enum Ended {
    /// Its first process ended.
    Itself(End),
    /// Its first process ended, and only the engine that has waited for it knows how.
    Unseen,
    /// It was killed for this reason.
    Killed(String),
    /// A signal for it came before its program was executed, and nothing was there in time to heed it.
    Forestalled(i32),
    /// Its program can't be executed.
    NeverRan(Failure),
}

impl Ended {
    /// How the command ended, and why bottle ended it, if bottle did.
    pub(crate) fn told(&self) -> (Status, Option<String>) {
        match self {
            Ended::Itself(End::Code(code)) => (Status::Exited(*code as u8), None),
            Ended::Itself(End::Signal(number)) => (Status::Signalled(*number), None),
            Ended::Unseen => (
                Status::Exited(255),
                Some("only its engine knows how the container ended: it has waited for it".into()),
            ),
            Ended::Killed(reason) => (Status::Signalled(libc::SIGKILL), Some(reason.clone())),
            Ended::Forestalled(number) => {
                (Status::Signalled(*number), Some("a signal came before the command was executed".into()))
            }
            Ended::NeverRan(failure) => (Status::Exited(failure.code), Some(failure.to_string())),
        }
    }

    /// By one of its limits.
    pub(crate) fn overdue(limit: Limit) -> Ended {
        match limit {
            Limit::Heeding(number) => Ended::Forestalled(number),
            Limit::Stopped => Ended::Killed("it did not end in the time that `bottle stop` gave it".into()),
            Limit::Timeout => Ended::Killed("the time that --timeout gives is over".into()),
            Limit::Executing => Ended::NeverRan(Failure {
                code: 125,
                what: format!("the command was not executed within {} s", EXECUTING.as_secs()),
                hint: Some("the file system that holds the program does not answer".into()),
            }),
        }
    }
}
