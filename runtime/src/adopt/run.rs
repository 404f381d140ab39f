//! How is an adopted container supervised, from before its first instruction to its end?

use std::sync::Arc;

use super::Adoption;
use crate::caller::Caller;
use crate::event::Event;
use crate::head_start::Expecting;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::realize_error::RealizeError;
use crate::run::{RunError, through};
use crate::whose::{Around, Whose};

/// Builds an airlock around the container, attests it, tells by [`Event::Running`] that the engine may go on, and returns when
/// the container has ended. On an error before that the container is killed: whatever its engine does, it never runs.
///
/// What [`crate::run()`] says of the calling thread and of signals holds here too.
///
/// # Errors
/// [`RunError`]
pub fn adopt(
    ahead: Expecting,
    adoption: Adoption,
    caller: &Caller,
    events: impl FnMut(Event) + Send + 'static,
) -> Result<Outcome, RunError> {
    let whose = if caller.uid == 0 { Whose::Nobodys } else { Whose::Callers };
    // Root has power over whatever owns the namespace; somebody else has it within the container's user namespace alone.
    let around = match whose {
        Whose::Nobodys => Around::Host,
        Whose::Callers | Whose::Range { .. } => {
            let clone = adoption.container.user().try_clone_to_owned();
            Around::Given(clone.map_err(|source| RealizeError::Step { step: "hold a user namespace", source })?)
        }
    };
    let begun = ahead.adopt(&around, adoption.container.network())?;
    let container = Arc::clone(&adoption.container);
    let result = through(begun, || Plan::adopting(adoption, caller, whose), events);
    if result.is_err() {
        container.kill();
    }
    result
}
