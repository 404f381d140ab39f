//! What happens between a finished airlock and a running workload? The role `init`.
//!
//! It is pid 1 of the bottle and a child of the supervisor. It is in the agent's network namespace, makes the namespaces that only
//! the workload has, builds the root, lets the probes run, forks the workload up to its execve(2), gives up what it may itself
//! do, and then waits, forwards and reaps.

pub mod message;
pub mod plan;

pub(crate) mod fixed;

pub(crate) mod failure;
pub(crate) mod launch;

mod enter;
mod identity;

mod child;
mod connect;
mod first;
mod search;
mod warden;
mod workload;

mod devices;
mod kernel;
mod place;
mod root;
mod stage;

use crate::channel::Channel;
use crate::sys;

use message::{Failure, FromInit};

/// Is the role `init` from beginning to end. The calling process has one thread, is pid 1 of a pid namespace, and has every
/// capability in the user namespace around the workload's.
pub fn main(channel: Channel) -> ! {
    let code = conclude(&channel, enter::enter(&channel).and_then(|start| first::run(&channel, start)));
    sys::exit_now(code)
}

/// Is the role `warden` from beginning to end: it stands where init does, for a container that has an init of its own. The
/// calling process is as init's.
pub fn stand_beside(channel: Channel) -> ! {
    let code = conclude(&channel, warden::run(&channel));
    sys::exit_now(code)
}

/// Tells a failure, and what to exit with. A supervisor that is gone needs no answer.
fn conclude(channel: &Channel, result: Result<(), Failure>) -> i32 {
    match result {
        Ok(()) => 0,
        Err(failure) => {
            let code = i32::from(failure.code);
            let _ = channel.send(&FromInit::Failed(failure), &[]);
            code
        }
    }
}
