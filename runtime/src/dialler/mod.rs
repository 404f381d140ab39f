//! The dialler: the one process that opens connections to the outside, and parses nothing of the workload's.
//!
//! It re-runs `decide` on the gate's structured request, has the supervisor record the verdict, and only then
//! resolves, checks and connects. The connected socket goes to the gate; none stays here.

mod claims;
mod ledger;
pub mod message;
mod serve;

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use bottle_policy::Rules;
use bottle_proxy::dialler::{HostResolver, HostResolverError, HostRoutes, HostRoutesError};

use crate::channel::Channel;
use crate::dialler::message::{DiallerSetup, FromDialler};
use crate::report::chain;
use crate::{confine, memory, tether};

/// Why the dialler could not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiallerError {
    #[error("cannot {0}")]
    Io(&'static str, #[source] io::Error),
    #[error("the rules that were handed over are unusable: {0}")]
    Rules(String),
    #[error(transparent)]
    Confine(#[from] confine::ConfineError),
    #[error(transparent)]
    Routes(#[from] HostRoutesError),
    #[error(transparent)]
    Resolver(#[from] HostResolverError),
}

/// The role's main: serves until the supervisor or the gate is gone.
pub fn main(supervisor: Channel) -> ! {
    // Its last word is the end of its channel, which the supervisor treats as drift.
    std::process::exit(match begin(&supervisor) {
        Ok((tokio, parts)) => i32::from(tokio.block_on(serve::serve(supervisor, parts)).is_err()),
        Err(error) => {
            // A supervisor that is gone needs no answer.
            let _ = supervisor.send(&FromDialler::Failed(chain(&error)), &[]);
            1
        }
    })
}

/// Everything up to serving.
fn begin(supervisor: &Channel) -> Result<(tokio::runtime::Runtime, serve::Parts), DiallerError> {
    let (setup, descriptors): (DiallerSetup, _) =
        supervisor.recv().map_err(|error| DiallerError::Io("receive the setup", error))?;
    let [gate, rules] = <[OwnedFd; 2]>::try_from(descriptors)
        .map_err(|_| DiallerError::Io("take the descriptors", io::ErrorKind::InvalidData.into()))?;
    let rules = memory::read(rules).map_err(|error| DiallerError::Io("read the rules", error))?;
    let rules = Rules::from_canonical(&rules).map_err(|error| DiallerError::Rules(error.to_string()))?;
    let host = HostRoutes::open()?;
    let resolver = HostResolver::system()?;
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| DiallerError::Io("start the runtime", error))?;
    // The supervisor measures this process; the filters of the other helpers keep them from doing so.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable)
        .map_err(|errno| DiallerError::Io("be measurable", errno.into()))?;
    confine::dialler(setup.become_id.map(confine::Identity::same), &resolver_files())?;
    tether::tie_to_supervisor(supervisor).map_err(|error| DiallerError::Io("tie itself to the supervisor", error))?;
    supervisor.send(&FromDialler::Ready, &[]).map_err(|error| DiallerError::Io("report", error))?;
    let (gate, upstream_proxy) = (Channel::from_owned_fd(gate), setup.upstream_proxy);
    Ok((tokio, serve::Parts { gate, rules, resolver, host, upstream_proxy }))
}

/// All that says how names are resolved. The files are read again when they change.
fn resolver_files() -> Vec<PathBuf> {
    ["/etc/resolv.conf", "/etc/hosts"].map(PathBuf::from).to_vec()
}
