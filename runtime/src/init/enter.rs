//! Into which namespaces does the workload go? Fresh ones; in the agent's network namespace pid 1 is since it was forked.

use std::os::fd::OwnedFd;

use rustix::mount::MountPropagationFlags;

use crate::channel::Channel;

use super::failure::at;
use super::identity::Identities;
use super::message::{Failure, ToInit};
use super::plan::InitPlan;

/// What pid 1 starts from.
pub(super) struct Start {
    pub(super) plan: InitPlan,
    pub(super) identities: Identities,
    pub(super) streams: Streams,
}

/// Takes the plan and makes all namespaces but the network's.
pub(super) fn enter(channel: &Channel) -> Result<Start, Failure> {
    let (plan, streams) = receive(channel)?;
    let identities = Identities::make(&plan)?;
    leave_the_rest()?;
    Ok(Start { plan, identities, streams })
}

type Streams = Option<[OwnedFd; 3]>;

fn receive(channel: &Channel) -> Result<(InitPlan, Streams), Failure> {
    let invalid = || at("begin")(std::io::Error::from(std::io::ErrorKind::InvalidData));
    let (message, descriptors) = channel.recv().map_err(at("hear from the supervisor"))?;
    let ToInit::Start { streams } = message else {
        return Err(invalid());
    };
    let mut descriptors = descriptors.into_iter();
    let plan = InitPlan::unseal(descriptors.next().ok_or_else(invalid)?).map_err(at("read the plan"))?;
    if streams == plan.terminal.is_some() {
        return Err(invalid());
    }
    let streams = streams.then(|| <[OwnedFd; 3]>::try_from(descriptors.collect::<Vec<_>>()));
    Ok((plan, streams.transpose().map_err(|_| invalid())?))
}

/// Mount, ipc, uts and cgroup namespaces of the bottle's own. They belong to the user namespace around the
/// workload's, so that no capability within the workload's reaches them.
pub(super) fn leave_the_rest() -> Result<(), Failure> {
    use nix::sched::{CloneFlags, unshare};
    let rest =
        CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWCGROUP;
    unshare(rest).map_err(at("unshare the workload's namespaces"))?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).map_err(at("keep mounts from propagating"))
}
