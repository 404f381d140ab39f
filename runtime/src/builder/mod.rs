//! The builder: makes the pair of namespaces with all that is in it, hands it over, tries to get out of it through a packet socket, and
//! ends. It has one thread, but while both namespaces are made a second.
//!
//! Before anything else it forks the gate, the dialler, for a container the keeper, and what becomes init, when it has nothing yet
//! that they should not have.

pub mod program;

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, OwnedFd};

use bottle_netns::adopt::build_in;
use bottle_netns::airlock::{AirlockIndex, namespace_of};
use bottle_netns::build::{BuildError, Owner, build_from};
use bottle_netns::enter::{
    OwnIds, enter_network_namespace, enter_user_namespace, no_user_namespace, reenter_network_namespace,
    reenter_user_namespace,
};
use bottle_netns::{Airlock, Layout, held};
use nix::errno::Errno;
use nix::sched::CloneFlags;
use rustix::process::{Pid, PidfdFlags};
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::descriptors;
use crate::init::message::pid_of;
use crate::probe::{self, ProbeResult};
use crate::report::chain;
use crate::roles::{Helper, become_helper, become_init};
use crate::sys::{Forked, fork_sibling};

use program::ProgramError;

/// Supervisor to builder, once; beside it the dialler's, the gate's and init's ends of their channels, the user namespace
/// where one is given, and where one is adopted the agent's network namespace and the keeper's end of its channel.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuilderSetup {
    /// To which user namespace the others are to belong.
    pub user: UserNamespace,
    /// Whose network namespace the agent's is.
    pub agent: Agent,
    /// Whether this process was executed from a read-only mount of the supervisor's making, and init can be it, forked. That a
    /// file system is read-only says nothing: its owner may make it writable again.
    pub from_read_only: bool,
}

/// Whose network namespace the agent's is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Agent {
    /// One that is made for it.
    Created,
    /// A container's, which an engine has made.
    Adopted,
}

/// A user namespace around a bottle's others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UserNamespace {
    /// The one that bottle was started in: root needs no other.
    Inherited,
    /// A new one, in which the caller has its own ids and no other.
    Fresh,
    /// One that belongs to the caller and has more ids.
    Given,
}

/// Builder to supervisor, in this order: the helpers, init, what was built, what was tried there, and where a namespace is adopted who else is
/// there; `Failed` may come instead of any.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum FromBuilder {
    /// The helpers are forked; the pidfds of the dialler, the gate and the keeper are beside it.
    Helpers {
        /// The dialler's id in the supervisor's pid namespace.
        dialler: u32,
        /// The gate's.
        gate: u32,
        /// The keeper's, where a container is adopted.
        keeper: Option<u32>,
    },
    /// Init is forked, in the pid namespace of the bottle, and executes the program where its builder was not on a read-only mount; beside it are its pidfd and the program
    /// on its read-only mount.
    Init {
        /// Its id in the supervisor's pid namespace.
        pid: u32,
    },
    /// Built; the descriptors are beside it.
    Built(AirlockIndex),
    /// What the builder, which is in the agent's namespace with every capability, saw through a packet socket. The kernel takes some ten milliseconds to close that, for which the builder's
    /// exit has to wait if it is the last who has it: where a namespace is adopted, the socket is beside it.
    Probed(ProbeResult),
    /// Who else has sockets in a namespace that was adopted, in words. It comes last: the kernel counts a socket that an engine has just closed for
    /// some ten milliseconds more.
    Holders(Vec<String>),
    /// Not built.
    Failed {
        /// The chain of errors, outermost first.
        why: Vec<String>,
        /// What to do.
        hint: Option<String>,
    },
}

/// The role's main.
pub fn main(supervisor: Channel) -> ! {
    std::process::exit(i32::from(run(&supervisor).is_err()))
}

fn run(supervisor: &Channel) -> io::Result<()> {
    let (setup, channels): (BuilderSetup, _) = supervisor.recv()?;
    let mut channels = channels.into_iter();
    let mut next = || channels.next().ok_or(io::Error::from(io::ErrorKind::InvalidData));
    let (dialler, gate, init) = (next()?, next()?, next()?);
    let given = if setup.user == UserNamespace::Given { Some(next()?) } else { None };
    let (adopted, keeper) = if setup.agent == Agent::Adopted { (Some(next()?), Some(next()?)) } else { (None, None) };
    let own_user = setup.user != UserNamespace::Inherited;
    let built = helpers(own_user, [dialler, gate], keeper, supervisor)
        .and_then(|()| airlock(owner(setup.user, given)?, adopted, init, setup.from_read_only, supervisor));
    match built {
        Ok(airlock) => hand_over(airlock, setup.agent, supervisor),
        Err(error) => {
            let hint = error.hint().map(str::to_owned);
            supervisor.send(&FromBuilder::Failed { why: chain(&error), hint }, &[])
        }
    }
}

/// All of it, and what else can be told of the agent's namespace from inside.
fn hand_over(airlock: Airlock, agent: Agent, supervisor: &Channel) -> io::Result<()> {
    let namespace = namespace_of(&airlock.desks.agent)?;
    let (index, descriptors) = airlock.flatten();
    let mut own: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
    supervisor.send(&FromBuilder::Built(index), &own)?;
    let (probed, socket) = probe::packet();
    // Left to the end of the process: what is told need not wait until the kernel has closed it.
    let socket = ManuallyDrop::new(socket);
    let adopted = agent == Agent::Adopted;
    let socket: Vec<_> = socket.iter().filter(|_| adopted).map(AsFd::as_fd).collect();
    supervisor.send(&FromBuilder::Probed(probed), &socket)?;
    if adopted {
        own.extend(socket);
        let told = match held::sockets(namespace, &own) {
            Ok(holders) => FromBuilder::Holders(holders),
            Err(error) => FromBuilder::Failed { why: chain(&error), hint: None },
        };
        supervisor.send(&told, &[])?;
    }
    Ok(())
}

/// The gate first: where the host gives no user namespace, nothing else is there that would have to end.
fn helpers(
    own_user: bool,
    [dialler, gate]: [OwnedFd; 2],
    keeper: Option<OwnedFd>,
    supervisor: &Channel,
) -> Result<(), BuilderError> {
    let (own, user) = match own_user {
        true => (Some(OwnIds::now()), CloneFlags::CLONE_NEWUSER),
        false => (None, CloneFlags::empty()),
    };
    let gate = fork(Helper::Gate { own }, gate, user | CloneFlags::CLONE_NEWPID)?;
    let dialler = fork(Helper::Dialler, dialler, CloneFlags::empty())?;
    let keeper = keeper.map(|keeper| fork(Helper::Keeper, keeper, CloneFlags::empty())).transpose()?;
    let helpers = FromBuilder::Helpers {
        dialler: pid_of(&dialler)?,
        gate: pid_of(&gate)?,
        keeper: keeper.as_ref().map(pid_of).transpose()?,
    };
    let pidfds: Vec<_> = [dialler.as_fd(), gate.as_fd()].into_iter().chain(keeper.as_ref().map(AsFd::as_fd)).collect();
    Ok(supervisor.send(&helpers, &pidfds)?)
}

/// Returns the helper's pidfd. The supervisor is its parent, and may wait for it.
fn fork(helper: Helper, channel: OwnedFd, namespaces: CloneFlags) -> Result<OwnedFd, BuilderError> {
    let forked = fork_sibling(namespaces).map_err(|error| match Errno::try_from(error) {
        Ok(errno) if namespaces.contains(CloneFlags::CLONE_NEWUSER) => {
            BuildError::from(no_user_namespace(errno)).into()
        }
        Ok(errno) => BuilderError::Fork(errno.into()),
        Err(error) => BuilderError::Fork(error),
    })?;
    match forked {
        Forked::Sibling => become_helper(helper, channel),
        Forked::Original(pid) => Ok(pidfd(pid)?),
    }
}

fn pidfd(pid: i32) -> io::Result<OwnedFd> {
    let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidData)?;
    Ok(rustix::process::pidfd_open(pid, PidfdFlags::empty())?)
}

/// Why the builder has nothing to hand over.
#[derive(Debug, thiserror::Error)]
enum BuilderError {
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error("cannot start the gate, the dialler and init")]
    Fork(#[from] io::Error),
}

impl BuilderError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            BuilderError::Build(error) => error.hint(),
            BuilderError::Program(error) => error.hint(),
            BuilderError::Fork(_) => None,
        }
    }
}

/// Enters the user namespace that all others are to belong to.
fn owner(user: UserNamespace, given: Option<OwnedFd>) -> Result<Owner, BuilderError> {
    match (user, given) {
        (UserNamespace::Inherited, _) => Ok(Owner::Inherited),
        (_, None) => Ok(Owner::Own(enter_user_namespace().map_err(BuildError::from)?)),
        (_, Some(namespace)) => {
            reenter_user_namespace(&namespace).map_err(BuildError::from)?;
            Ok(Owner::Own(namespace))
        }
    }
}

/// Init, or a container's warden, goes first, and is in the agent's network namespace from the beginning: it takes its place while the rest is
/// built. Its program is where nobody can write: where this process was executed from there it is not executed again, since this one has
/// nothing yet that it should not have.
fn airlock(
    owner: Owner,
    adopted: Option<OwnedFd>,
    init: OwnedFd,
    from_read_only: bool,
    supervisor: &Channel,
) -> Result<Airlock, BuilderError> {
    let (agent, network) = match adopted {
        None => (Agent::Created, enter_network_namespace().map_err(BuildError::from)?),
        Some(network) => {
            reenter_network_namespace(&network).map_err(BuildError::from)?;
            (Agent::Adopted, network)
        }
    };
    let program = if from_read_only { program::running()? } else { program::read_only()? };
    let init = match fork_sibling(CloneFlags::CLONE_NEWPID)? {
        Forked::Sibling if !from_read_only => become_init(agent, &program, &init),
        Forked::Sibling => become_helper(Helper::Inside(agent), init),
        Forked::Original(pid) => pidfd(pid)?,
    };
    supervisor.send(&FromBuilder::Init { pid: pid_of(&init)? }, &[init.as_fd(), program.as_fd()])?;
    descriptors::make_room(&network);
    Ok(match agent {
        Agent::Created => build_from(&Layout::default(), owner, network)?,
        Agent::Adopted => build_in(&Layout::default(), owner, network)?,
    })
}
