//! The gate: reads what the workload sends, on sockets that were opened for it, and can open none itself.
//!
//! It is handed the listeners of the gate namespace and lives in empty namespaces of its own. Whatever it wants from
//! the outside it asks the dialler for.

mod inbound;
pub(crate) mod jail;
mod limits;
pub mod message;
mod refusals;
mod serve;
mod upstream;

use std::io;
use std::os::fd::OwnedFd;

use bottle_evidence::hex;
use bottle_netns::enter::OwnIds;
use bottle_policy::Rules;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::channel::Channel;
use crate::gate::message::{FromGate, GateSetup};
use crate::report::chain;
use crate::{confine, memory, tether};

pub use limits::GateLimits;

/// Why the gate could not begin.
#[derive(Debug, thiserror::Error)]
enum GateError {
    #[error("cannot {0}")]
    Io(&'static str, #[source] io::Error),
    #[error("the rules that were handed over are unusable: {0}")]
    Rules(String),
    #[error(transparent)]
    Jail(#[from] jail::JailError),
    #[error(transparent)]
    Confine(#[from] confine::ConfineError),
}

/// The role's main: serves until the supervisor or the dialler is gone, or the supervisor is silent for too long.
/// All sockets end with the process, so every connection is cut then.
pub fn main(supervisor: Channel, own: Option<OwnIds>) -> ! {
    std::process::exit(match begin(&supervisor, own) {
        Ok((tokio, parts)) => i32::from(tokio.block_on(serve::serve(supervisor, parts)).is_err()),
        Err(error) => {
            // A supervisor that is gone needs no answer.
            let _ = supervisor.send(&FromGate::Failed(chain(&error)), &[]);
            1
        }
    })
}

/// Everything up to serving.
fn begin(supervisor: &Channel, own: Option<OwnIds>) -> Result<(tokio::runtime::Runtime, serve::Parts), GateError> {
    let io = |step| move |error| GateError::Io(step, error);
    // While the namespaces are built that it will serve.
    jail::leave_namespaces(own)?;
    jail::empty_root()?;
    let (setup, descriptors): (GateSetup, _) = supervisor.recv().map_err(io("receive the setup"))?;
    let parts = parts(&setup, descriptors)?;
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let tokio = tokio.map_err(io("start the runtime"))?;
    // The supervisor measures this process; nobody else can see it.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable)
        .map_err(|errno| GateError::Io("be measurable", errno.into()))?;
    confine::gate(setup.become_id.map(confine::Identity::same))?;
    tether::tie_to_supervisor(supervisor).map_err(io("tie itself to the supervisor"))?;
    supervisor.send(&FromGate::Ready, &[]).map_err(io("report"))?;
    Ok((tokio, parts))
}

/// What serving takes, out of the descriptors that came along.
fn parts(setup: &GateSetup, descriptors: Vec<OwnedFd>) -> Result<serve::Parts, GateError> {
    let malformed = || GateError::Io("take the descriptors", io::ErrorKind::InvalidData.into());
    if descriptors.len() != 2 + 2 + 2 + 2 * setup.dns + 2 {
        return Err(malformed());
    }
    let mut descriptors = descriptors.into_iter();
    let (Some(dialler), Some(rules)) = (descriptors.next(), descriptors.next()) else { return Err(malformed()) };
    let rules = memory::read(rules).map_err(|error| GateError::Io("read the rules", error))?;
    let rules = Rules::from_canonical(&rules).map_err(|error| GateError::Rules(error.to_string()))?;
    let (Some(lease), Some(challenge)) = (hex::decode(&setup.lease_key), hex::decode(&setup.challenge_key)) else {
        return Err(malformed());
    };
    let mut take = |count: usize| descriptors.by_ref().take(count).collect::<Vec<OwnedFd>>();
    Ok(serve::Parts {
        dialler: Channel::from_owned_fd(dialler),
        rules: rules.into(),
        lease_key: lease,
        challenge_key: challenge,
        transparent: take(2).into_iter().map(Into::into).collect(),
        explicit: take(2).into_iter().map(Into::into).collect(),
        dns_udp: take(setup.dns).into_iter().map(Into::into).collect(),
        dns_tcp: take(setup.dns).into_iter().map(Into::into).collect(),
        nflog: take(2),
        inbound: setup.inbound,
        limits: limits(setup.inbound),
    })
}

/// Bounds that fit the descriptors this process may hold beside those of so many connections from outside; the hard limit, since
/// raising to it needs no right.
fn limits(inbound: usize) -> GateLimits {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    let limit = if setrlimit(Resource::Nofile, raised).is_ok() { raised } else { limit };
    let descriptors = limit.current.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    GateLimits::for_descriptors(descriptors.saturating_sub(inbound::descriptors(inbound)))
}
