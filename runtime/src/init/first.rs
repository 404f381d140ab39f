//! What does pid 1 of a bottle do? It builds, has probes run, holds the workload, and then only waits and forwards.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{DumpableBehavior, Pid, WaitOptions, WaitStatus};

use crate::channel::Channel;
use crate::confine::{self, Identity};
use crate::probe::{ProbePlan, ProbeResult, Share};
use crate::sys;
use crate::tether::tie_to_supervisor;

use super::child::{self, Probing};
use super::connect;
use super::enter::Start;
use super::failure::at;
use super::identity::Identities;
use super::message::{End, Failure, FromInit, ToInit};
use super::workload::{self, Held};
use super::{root, search};

/// How long nothing happens before there is time for what nobody waits for.
pub(super) const QUIET: Timespec = Timespec { tv_sec: 0, tv_nsec: 250_000_000 };

/// Everything that pid 1 does. When it returns, the bottle ends.
pub(super) fn run(channel: &Channel, mut start: Start) -> Result<(), Failure> {
    tie_to_supervisor(channel).map_err(at("tie the bottle to its supervisor"))?;
    nix::unistd::sethostname(&start.plan.hostname).map_err(at("set the host name"))?;
    root::build(&start.plan.files, &start.identities)?;
    let probing = Probers::prepare(&start.plan.probe, &start.identities)?;
    let holding = workload::hold(&mut start)?;
    let executable = search::find(&start.plan.argv[0], &start.plan.files.env).ok();
    channel.send(&FromInit::Expects { executable }, &[]).map_err(at("tell what will be executed"))?;
    wait_for(channel, &ToInit::Probe)?;
    let begun = probing.begin()?;
    let held = holding.ready()?;
    report_held(channel, &held)?;
    let children = listen_for_children()?;
    // While they probe: they have all that they need of it.
    confine_self(channel, &start)?;
    drop(start);
    let probed = begun.end()?;
    let probers = probed.report(channel)?;
    // The workload finds nobody but pid 1 beside itself.
    probers.into_iter().try_for_each(child::await_end)?;
    wait_for(channel, &ToInit::Release)?;
    // The supervisor has measured this process; from the workload's first instruction on nobody may look into it.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(at("hide the bottle's init"))?;
    let workload = held.release()?;
    channel.send(&FromInit::Started, &[]).map_err(at("report the start"))?;
    let end = wait_for_end(channel, &children, workload)?;
    channel.send(&FromInit::Exited(end), &[]).map_err(at("report the end"))
}

/// Those who make the probes of both rounds at once. They get ready, and so does the workload, while the supervisor surveys.
pub(super) struct Probers {
    unconfined: Probing,
    confined: Probing,
}

impl Probers {
    pub(super) fn prepare(plan: &ProbePlan, identities: &Identities) -> Result<Probers, Failure> {
        let unconfined = child::probe(plan, Share::Others, None)?;
        Ok(Probers { unconfined, confined: child::probe(plan, Share::All, Some(identities))? })
    }

    /// Has both rounds made.
    pub(super) fn begin(self) -> Result<Begun, Failure> {
        self.unconfined.begin()?;
        self.confined.begin()?;
        Ok(Begun(self))
    }
}

/// Both rounds, under way.
pub(super) struct Begun(Probers);

impl Begun {
    /// Waits until all have answered.
    pub(super) fn end(self) -> Result<Probed, Failure> {
        let Probers { unconfined, confined } = self.0;
        let children = [&unconfined, &confined].map(Probing::child);
        Ok(Probed { children, rounds: [unconfined.results()?, confined.results()?] })
    }
}

/// What was seen, and those who saw it, who end on their own.
pub(super) struct Probed {
    children: [Option<Pid>; 2],
    rounds: [Vec<ProbeResult>; 2],
}

impl Probed {
    /// Returns the children.
    pub(super) fn report(self, channel: &Channel) -> Result<[Option<Pid>; 2], Failure> {
        for (confined, results) in [false, true].into_iter().zip(self.rounds) {
            channel.send(&FromInit::Probed { confined, results }, &[]).map_err(at("report the probes"))?;
        }
        Ok(self.children)
    }
}

fn report_held(channel: &Channel, held: &Held) -> Result<(), Failure> {
    let descriptors: Vec<BorrowedFd<'_>> =
        std::iter::once(&held.pidfd).chain(&held.terminal).map(AsFd::as_fd).collect();
    let message = FromInit::Held { executable: held.executable.clone(), wall: Some(held.wall) };
    channel.send(&message, &descriptors).map_err(at("report the held workload"))
}

/// Becomes as powerless as the workload, with ids by which it may signal it, and invisible to it.
fn confine_self(channel: &Channel, start: &Start) -> Result<(), Failure> {
    let outside = start.identities.outside(bottle_images::Owner::User);
    confine::init(Identity { uid: outside.uid, gid: outside.gid }, start.plan.ports)
        .map_err(io::Error::other)
        .map_err(at("confine init"))?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(at("be measurable"))?;
    tie_to_supervisor(channel).map_err(at("tie the bottle to its supervisor"))
}

fn listen_for_children() -> Result<SignalFd, Failure> {
    let mut set = SigSet::empty();
    set.add(Signal::SIGCHLD);
    set.thread_block().map_err(at("hear of children"))?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).map_err(at("hear of children"))
}

/// Nothing else may come before it.
pub(super) fn wait_for(channel: &Channel, word: &ToInit) -> Result<(), Failure> {
    let heard = channel.recv::<ToInit>().map_err(at("wait for the supervisor"))?.0;
    if heard == *word {
        Ok(())
    } else {
        Err(at("wait for the supervisor")(io::Error::from(io::ErrorKind::InvalidData)))
    }
}

fn wait_for_end(channel: &Channel, children: &SignalFd, workload: Pid) -> Result<End, Failure> {
    let mut quiet = Some(QUIET);
    loop {
        if let Some(end) = reap(workload).map_err(at("wait for the workload"))? {
            return Ok(end);
        }
        let mut ready = [PollFd::new(channel, PollFlags::IN), PollFd::new(children, PollFlags::IN)];
        match rustix::event::poll(&mut ready, quiet.as_ref()) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other.map_err(at("wait for the workload"))?,
        };
        if ready.iter().all(|one| one.revents().is_empty()) {
            // Not before, since a command that ends at once would wait for it.
            sys::give_back_memory();
            quiet = None;
            continue;
        }
        let (spoken, died) = (!ready[0].revents().is_empty(), !ready[1].revents().is_empty());
        if died {
            while let Ok(Some(_)) = children.read_signal() {}
        }
        if spoken {
            obey(channel, workload)?;
        }
    }
}

/// Waits for whatever has ended; tells if the workload's first process was among it.
fn reap(workload: Pid) -> io::Result<Option<End>> {
    let mut end = None;
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == workload => end = Some(how(status)),
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) | Err(rustix::io::Errno::CHILD) => return Ok(end),
            Err(error) => return Err(error.into()),
        }
    }
}

fn how(status: WaitStatus) -> End {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => End::Code(code),
        (None, Some(number)) => End::Signal(number),
        (None, None) => End::Code(125),
    }
}

/// What a terminal sends goes to all in the foreground, as without a bottle: a shell goes on where only it was interrupted.
fn whom(number: i32, workload: Pid) -> i32 {
    let first = workload.as_raw_nonzero().get();
    let of_a_terminal = matches!(number, libc::SIGINT | libc::SIGQUIT | libc::SIGHUP);
    if of_a_terminal { -first } else { first }
}

/// The end of the channel is the end of the supervisor, and so of the bottle.
fn obey(channel: &Channel, workload: Pid) -> Result<(), Failure> {
    match channel.recv::<ToInit>().map_err(at("hear from the supervisor"))?.0 {
        ToInit::Signal { number } => {
            // A workload that has just ended can't be signalled any more, and needs not be.
            let _ = sys::send_signal(whom(number, workload), number);
            Ok(())
        }
        ToInit::Connect { connection, to } => {
            // Nothing where it fails: whoever asked knows what that means.
            let socket = connect::begin(to).ok();
            let sockets: Vec<BorrowedFd<'_>> = socket.iter().map(AsFd::as_fd).collect();
            let handed = channel.send(&FromInit::Connecting { connection }, &sockets);
            // Others of the same user may have so many descriptors under way that the kernel takes no more for now.
            handed
                .or_else(|_| channel.send(&FromInit::Connecting { connection }, &[]))
                .map_err(at("hand over a connection"))
        }
        ToInit::Probe | ToInit::Release | ToInit::Start { .. } => {
            Err(at("go on")(io::Error::from(io::ErrorKind::InvalidData)))
        }
    }
}
