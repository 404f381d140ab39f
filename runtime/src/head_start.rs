//! What of a start needs nothing of the run? A program begins it before it reads its own arguments, and both go on at once.

use std::os::fd::BorrowedFd;

use crate::caller::Caller;
use crate::plan::PlanError;
use crate::run::RunError;
use crate::started::{Executed, Started};
use crate::supervisor::taken::Taken;
use crate::sys;
use crate::whose::{Around, Whose};

/// A run's first process, which waits, or builds already what every run of this caller has. Dropped, all of it is ended and waited
/// for.
///
/// What the processes of a run have from the calling one, as its limits, is set before.
pub struct HeadStart {
    phase: Phase,
    taken: Taken,
}

enum Phase {
    /// Which user namespace it builds for depends on what is run.
    Waiting(Executed),
    /// Root's bottles are all in the one that bottle was started in.
    Building(Started),
}

impl HeadStart {
    /// The calling thread must live as long as the run.
    ///
    /// # Errors
    /// Where the program can't be executed again.
    pub fn begin(caller: &Caller) -> Result<HeadStart, RunError> {
        let taken = Taken::take();
        sys::let_too_large_writes_fail();
        let executed = Executed::new()?;
        let phase = match Whose::is_nobodys(caller) {
            true => Phase::Building(executed.start(&Around::Host)?),
            false => Phase::Waiting(executed),
        };
        Ok(HeadStart { phase, taken })
    }

    /// Goes on, now that it is known whose ids the run has.
    pub(crate) fn go_on(self, whose: &Whose) -> Result<(Started, Taken), RunError> {
        let started = match self.phase {
            Phase::Waiting(executed) => executed.start(&whose.around().map_err(PlanError::from)?)?,
            Phase::Building(started) => started,
        };
        Ok((started, self.taken))
    }
}

/// The same for a container of an engine's: it waits until all that the engine says of that has been judged. Dropped, it is ended and
/// waited for.
pub struct Expecting {
    executed: Executed,
    taken: Taken,
}

impl Expecting {
    /// The calling thread must live as long as the container.
    ///
    /// # Errors
    /// Where the program can't be executed again.
    pub fn begin() -> Result<Expecting, RunError> {
        let taken = Taken::take();
        sys::let_too_large_writes_fail();
        Ok(Expecting { executed: Executed::new()?, taken })
    }

    /// Goes on around the container with this network namespace.
    pub(crate) fn adopt(self, around: &Around, network: BorrowedFd<'_>) -> Result<(Started, Taken), RunError> {
        Ok((self.executed.adopt(around, network)?, self.taken))
    }
}
