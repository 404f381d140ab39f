//! The dialler: the one process that opens connections to the outside, and parses nothing of the workload's.
//!
//! It re-runs `decide` on the gate's structured request, has the supervisor record the verdict, and only then
//! resolves, checks and connects. The connected socket goes to the gate; none stays here.

mod ledger;
pub mod message;
mod serve;

use std::io;
use std::os::fd::OwnedFd;

use bottle_policy::Rules;

use crate::channel::Channel;
use crate::dialler::message::{DiallerSetup, FromDialler};
use crate::{memory, tether};

/// Why the dialler could not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiallerError {
    #[error("cannot {0}")]
    Io(&'static str, #[source] io::Error),
    #[error("the rules that were handed over are unusable: {0}")]
    Rules(String),
    #[error("cannot confine the dialler: {0}")]
    Confine(String),
}

/// The role's main: serves until the supervisor or the gate is gone.
pub fn main(supervisor: Channel) -> ! {
    // Its last word is the end of its channel, which the supervisor treats as drift.
    std::process::exit(i32::from(run(supervisor).is_err()))
}

fn run(supervisor: Channel) -> Result<(), DiallerError> {
    let (setup, descriptors): (DiallerSetup, _) =
        supervisor.recv().map_err(|error| DiallerError::Io("receive the setup", error))?;
    let [gate, rules] = <[OwnedFd; 2]>::try_from(descriptors)
        .map_err(|_| DiallerError::Io("take the descriptors", io::ErrorKind::InvalidData.into()))?;
    let rules = memory::read(rules).map_err(|error| DiallerError::Io("read the rules", error))?;
    let rules = Rules::from_canonical(&rules).map_err(|error| DiallerError::Rules(error.to_string()))?;
    let host = bottle_proxy::dialler::KernelRoutes::open()
        .map_err(|error| DiallerError::Io("open a routing socket", error))?;
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| DiallerError::Io("start the runtime", error))?;
    let seccomp = crate::confine::dialler(setup.become_id)
        .map_err(|error| DiallerError::Confine(error.to_string()))?;
    tether::tie_to_supervisor(&supervisor).map_err(|error| DiallerError::Io("tie to the supervisor", error))?;
    supervisor
        .send(&FromDialler::Ready { seccomp }, &[])
        .map_err(|error| DiallerError::Io("report", error))?;
    tokio
        .block_on(serve::serve(supervisor, Channel::from_owned_fd(gate), rules, host))
        .map_err(|error| DiallerError::Io("serve", error))
}
