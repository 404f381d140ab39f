//! Into which namespaces does the workload go? Fresh ones, and the agent's as soon as it is built.

use std::os::fd::{AsFd, OwnedFd};

use rustix::mount::MountPropagationFlags;
use rustix::process::{Pid, PidfdFlags};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::channel::Channel;
use crate::sys::{Forked, fork_successor};

use super::failure::at;
use super::identity::Identities;
use super::message::{Failure, FromInit, ToInit};
use super::plan::{Ids, InitPlan};

/// What pid 1 starts from.
pub(super) struct Start {
    pub(super) plan: InitPlan,
    pub(super) identities: Identities,
    pub(super) streams: Option<[OwnedFd; 3]>,
}

/// Which process [`enter`] returned in.
pub(super) enum Side {
    /// The executed one: its work is done.
    Original,
    /// Pid 1 of the bottle.
    First(Box<Start>),
}

/// Takes the plan, enters all namespaces but the network's, and forks pid 1, which the supervisor waits for.
pub(super) fn enter(channel: &Channel) -> Result<Side, Failure> {
    let (plan, handed) = receive(channel)?;
    if let Some(user) = &handed.user {
        let into = Some(LinkNameSpaceType::User);
        move_into_link_name_space(user.as_fd(), into).map_err(at("enter the bottle's user namespace"))?;
    }
    let identities = Identities::make(&plan)?;
    leave_the_rest()?;
    match fork_successor().map_err(at("fork the bottle's first process"))? {
        Forked::Sibling => Ok(Side::First(Box::new(Start { plan, identities, streams: handed.streams }))),
        Forked::Original(pid) => report(channel, pid).map(|()| Side::Original),
    }
}

/// Takes the agent's network namespace from the supervisor and enters it.
pub(super) fn network(channel: &Channel) -> Result<(), Failure> {
    let (message, descriptors) = channel.recv::<ToInit>().map_err(at("wait for the agent's network namespace"))?;
    let (ToInit::Network, Some(agent)) = (message, descriptors.first()) else {
        let invalid = std::io::Error::from(std::io::ErrorKind::InvalidData);
        return Err(at("wait for the agent's network namespace")(invalid));
    };
    let into = Some(LinkNameSpaceType::Network);
    move_into_link_name_space(agent.as_fd(), into).map_err(at("enter the agent's network namespace"))
}

struct Handed {
    user: Option<OwnedFd>,
    streams: Option<[OwnedFd; 3]>,
}

fn receive(channel: &Channel) -> Result<(InitPlan, Handed), Failure> {
    let (message, descriptors) = channel.recv().map_err(at("hear from the supervisor"))?;
    let ToInit::Start { user_namespace, streams } = message else {
        return Err(at("begin")(std::io::Error::from(std::io::ErrorKind::InvalidData)));
    };
    let mut descriptors = descriptors.into_iter();
    let mut next = || {
        let missing = std::io::Error::from(std::io::ErrorKind::InvalidData);
        descriptors.next().ok_or(missing).map_err(at("take over a descriptor"))
    };
    let plan = InitPlan::unseal(next()?).map_err(at("read the plan"))?;
    let user = if user_namespace { Some(next()?) } else { None };
    let streams = if streams { Some([next()?, next()?, next()?]) } else { None };
    let own = matches!(plan.ids, Ids::Own);
    let fits = own == user.is_some() && streams.is_none() == plan.terminal.is_some();
    if !fits {
        return Err(at("begin")(std::io::Error::from(std::io::ErrorKind::InvalidInput)));
    }
    Ok((plan, Handed { user, streams }))
}

/// Mount, ipc, uts, cgroup and pid namespaces of the bottle's own. They belong to the user namespace around the
/// workload's, so that no capability within the workload's reaches them.
fn leave_the_rest() -> Result<(), Failure> {
    use nix::sched::{CloneFlags, unshare};
    let rest = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWCGROUP
        | CloneFlags::CLONE_NEWPID;
    unshare(rest).map_err(at("unshare the workload's namespaces"))?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).map_err(at("keep mounts from propagating"))
}

fn report(channel: &Channel, pid: i32) -> Result<(), Failure> {
    let gone = || std::io::Error::from(std::io::ErrorKind::NotFound);
    let id = Pid::from_raw(pid).ok_or_else(gone).map_err(at("name the bottle's first process"))?;
    let pidfd = rustix::process::pidfd_open(id, PidfdFlags::empty()).map_err(at("hold the bottle's first process"))?;
    let born = FromInit::Born { pid: pid as u32 };
    channel.send(&born, &[pidfd.as_fd()]).map_err(at("report the bottle's first process"))
}
