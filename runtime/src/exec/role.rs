//! How is a bottle entered? The role `enter`: into init's namespaces, then a sibling is forked that confines itself there.
//!
//! This process has privileges and stays out of the bottle's pid namespace; it touches no file inside but the terminals'.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sched::{CloneFlags, setns};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{DumpableBehavior, Pid, PidfdFlags};

use super::message::{EnterPlan, FromEntering};
use crate::channel::Channel;
use crate::confine::Identity;
use crate::init::failure::at;
use crate::init::launch::{self, Ends, Launch, Visibility};
use crate::init::message::Failure;
use crate::memory;
use crate::sys::{self, Alone, Forked};

const INVALID: io::ErrorKind = io::ErrorKind::InvalidData;

/// Is the role from beginning to end. The calling process has one thread.
pub(crate) fn main(channel: Channel) -> ! {
    // Before anything else: its sibling inherits it, and nobody inside may look into that.
    let hidden = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(at("hide"));
    if let Err(failure) = hidden.and_then(|()| enter(&channel)) {
        // A supervisor that is gone needs no answer.
        let _ = channel.send(&FromEntering::Failed(failure), &[]);
    }
    sys::exit_now(0)
}

struct Order {
    plan: EnterPlan,
    init: OwnedFd,
    user_namespace: OwnedFd,
    streams: Option<[OwnedFd; 3]>,
}

fn enter(channel: &Channel) -> Result<(), Failure> {
    let order = receive(channel).map_err(at("hear what to enter"))?;
    // Inside, /proc shows nothing of this process.
    let alone = Alone::now().map_err(at("enter the bottle"))?;
    setns(&order.init, namespaces(order.plan.own_user)).map_err(at("enter the bottle's namespaces"))?;
    let (ends, master) = match order.streams {
        Some(streams) => {
            launch::give(&streams, order.plan.outside).map_err(at("hand the streams over"))?;
            (Ends::Handed(streams), None)
        }
        None => {
            let master = open_master().map_err(at("open a terminal"))?;
            let own =
                launch::other_side(&master, order.plan.outside, order.plan.terminal).map_err(at("open a terminal"))?;
            (Ends::Terminal(own), Some(master))
        }
    };
    let (report, tell) = pipe_with(PipeFlags::CLOEXEC).map_err(at("fork"))?;
    let (wait, release) = pipe_with(PipeFlags::CLOEXEC).map_err(at("fork"))?;
    let pid = match sys::fork_sibling_alone(alone, CloneFlags::empty()).map_err(at("fork"))? {
        Forked::Sibling => {
            // What releases it and what it reports to are others' to hold, and so are the ways out of here.
            drop((report, release, master, order.init));
            sys::exit_now(launch::be(&launch(&order.plan), &order.user_namespace, &ends, tell, wait))
        }
        Forked::Original(pid) => Pid::from_raw(pid).ok_or(INVALID.into()).map_err(at::<io::Error>("fork"))?,
    };
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).map_err(at("hold who was forked"))?;
    let given: Vec<BorrowedFd<'_>> = [&pidfd, &report, &release].into_iter().chain(&master).map(AsFd::as_fd).collect();
    channel.send(&FromEntering::Forked, &given).map_err(at("tell who was forked"))
}

fn receive(channel: &Channel) -> io::Result<Order> {
    let (_, descriptors) = channel.recv::<()>()?;
    let mut descriptors = descriptors.into_iter();
    let mut next = || descriptors.next().ok_or(io::Error::from(INVALID));
    let plan: EnterPlan = serde_json::from_str(&memory::read(next()?)?)?;
    let (init, user_namespace) = (next()?, next()?);
    let rest: Vec<OwnedFd> = descriptors.collect();
    let streams = match (plan.terminal, rest.len()) {
        (Some(_), 0) => None,
        (None, 3) => <[OwnedFd; 3]>::try_from(rest).ok(),
        _ => return Err(INVALID.into()),
    };
    Ok(Order { plan, init, user_namespace, streams })
}

/// All that init has of its own. Its user namespace is left by the sibling for the workload's.
fn namespaces(own_user: bool) -> CloneFlags {
    let user = if own_user { CloneFlags::CLONE_NEWUSER } else { CloneFlags::empty() };
    user | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWCGROUP
}

fn launch(plan: &EnterPlan) -> Launch<'_> {
    let visibility = if plan.own_user { Visibility::OnHold } else { Visibility::Never };
    Launch {
        argv: &plan.argv,
        env: &plan.env,
        workdir: &plan.workdir,
        wall: plan.wall.clone(),
        descriptors: plan.descriptors,
        ulimits: &plan.ulimits,
        readily_killed: plan.readily_killed,
        identity: Identity { uid: plan.inside.0, gid: plan.inside.1 },
        visibility,
    }
}

/// A terminal of the bottle's own instance. What lies at /dev is perhaps the workload's, so the one that is opened must be the
/// node that the file system of terminals makes, by which nobody inside can make another.
fn open_master() -> io::Result<OwnedFd> {
    const TERMINALS: i64 = 0x1cd1;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::openat2(rustix::fs::CWD, "/dev/pts", flags, Mode::empty(), resolve)?;
    if rustix::fs::fstatfs(&directory)?.f_type != TERMINALS {
        return Err(INVALID.into());
    }
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let master = rustix::fs::openat(&directory, "ptmx", flags, Mode::empty())?;
    if FileType::from_raw_mode(rustix::fs::fstat(&master)?.st_mode) != FileType::CharacterDevice {
        return Err(INVALID.into());
    }
    rustix::fs::fcntl_setfl(&master, OFlags::empty())?;
    rustix::pty::unlockpt(&master)?;
    Ok(master)
}
