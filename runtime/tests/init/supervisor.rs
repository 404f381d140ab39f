//! A supervisor of a few lines: namespaces without links in them, a plan, and what init says.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use bottle_images::{Context, ImageRef, Volume};
use bottle_runtime::channel::Channel;
use bottle_runtime::confine::Ports;
use bottle_runtime::init::message::{End, Failure, FromInit, ToInit, pid_of};
use bottle_runtime::init::plan::{Ids, InitPlan, Window};
use bottle_runtime::probe::ProbePlan;
use bottle_runtime::sys::{self, Forked};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{DumpableBehavior, Pid, PidfdFlags, WaitOptions};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The uid of the ordinary user that root plays.
pub(crate) const ORDINARY: u32 = 4242;
/// The first of the ids that root's bottles get.
pub(crate) const BASE: u32 = 0x6fff_0000;

/// Where a bottle is started: an agent namespace, its owner, and a directory to work in.
pub(crate) struct World {
    pub(crate) agent: OwnedFd,
    pub(crate) user: Option<OwnedFd>,
    pub(crate) uid: u32,
    pub(crate) workdir: tempfile::TempDir,
    pub(crate) home: PathBuf,
    pub(crate) path: String,
    pub(crate) image: ImageRef,
    pub(crate) volumes: Vec<Volume>,
    pub(crate) env: Vec<(String, String)>,
}

/// The world of whoever runs the test.
pub(crate) fn world() -> World {
    if rustix::process::geteuid().is_root() { as_root() } else { as_ordinary_user() }
}

/// Root's world: the agent namespace belongs to the host's user namespace.
pub(crate) fn as_root() -> World {
    let (agent, _) = namespaces(None);
    World::new(agent, None)
}

/// The world of an ordinary user; root becomes one first, for good.
pub(crate) fn as_ordinary_user() -> World {
    if rustix::process::geteuid().is_root() {
        let (uid, gid) = (Uid::from_raw(ORDINARY), Gid::from_raw(ORDINARY));
        setgroups(&[]).unwrap();
        setresgid(gid, gid, gid).unwrap();
        setresuid(uid, uid, uid).unwrap();
        rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable).unwrap();
    }
    let (uid, gid) = (Uid::current(), Gid::current());
    let (agent, user) = namespaces(Some((uid.as_raw(), gid.as_raw())));
    World::new(agent, user)
}

/// A child makes them and waits until they are held here.
fn namespaces(owner: Option<(u32, u32)>) -> (OwnedFd, Option<OwnedFd>) {
    let (ready, tell_ready) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    let (done, tell_done) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    let Some(child) = sys::fork_child().unwrap() else {
        drop(tell_done);
        if let Some((uid, gid)) = owner {
            unshare(CloneFlags::CLONE_NEWUSER).unwrap();
            std::fs::write("/proc/self/setgroups", "deny").unwrap();
            std::fs::write("/proc/self/uid_map", format!("{uid} {uid} 1")).unwrap();
            std::fs::write("/proc/self/gid_map", format!("{gid} {gid} 1")).unwrap();
        }
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        rustix::io::write(&tell_ready, &[1]).unwrap();
        let _ = rustix::io::read(&done, &mut [0; 1]);
        sys::exit_now(0);
    };
    drop(tell_ready);
    assert_eq!(rustix::io::read(&ready, &mut [0; 1]).unwrap(), 1, "no namespaces could be made");
    let open = |kind: &str| File::open(format!("/proc/{child}/ns/{kind}")).unwrap().into();
    let namespaces = (open("net"), owner.map(|_| open("user")));
    drop(tell_done);
    rustix::process::waitpid(Pid::from_raw(child), WaitOptions::empty()).unwrap();
    namespaces
}

impl World {
    fn new(agent: OwnedFd, user: Option<OwnedFd>) -> World {
        let workdir = tempfile::Builder::new().prefix("bottle-init-").tempdir_in("/tmp").unwrap();
        let uid = Uid::current().as_raw();
        World {
            agent,
            user,
            uid,
            workdir,
            home: if uid == 0 { "/root" } else { "/home/tester" }.into(),
            path: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into(),
            image: ImageRef::Host,
            volumes: Vec::new(),
            env: Vec::new(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.workdir.path()
    }

    pub(crate) fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// The plan of a command in this world.
    pub(crate) fn plan(&self, argv: &[&str]) -> InitPlan {
        let gid = Gid::current().as_raw();
        let mut context = Context::new(self.uid, gid, "tester", &self.home, self.path());
        context.variables = BTreeMap::from([("PATH".into(), self.path.clone()), ("SECRET_TOKEN".into(), "x".into())]);
        context.volumes.clone_from(&self.volumes);
        context.env.clone_from(&self.env);
        InitPlan {
            files: bottle_images::resolve(&self.image, &context).unwrap().plan,
            argv: argv.iter().map(ToString::to_string).collect(),
            ids: if self.is_root() { Ids::Private { base: BASE } } else { Ids::Own { uid: self.uid, gid } },
            hostname: "bottle".into(),
            descriptors: None,
            ulimits: vec![],
            readily_killed: None,
            ports: Ports::Unpublished,
            terminal: None,
            probe: ProbePlan { challenge: "00".repeat(32) },
        }
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, argv: &[&str]) -> Run {
        match self.start(&self.plan(argv)).held() {
            Ok(held) => held.release().finish(),
            Err(failure) => Run { end: None, failure: Some(failure), output: String::new() },
        }
    }

    /// Runs a shell script to its end; it must succeed, and what it printed is returned.
    pub(crate) fn shell(&self, script: &str) -> String {
        let run = self.run(&["sh", "-c", script]);
        assert_eq!(run.end, Some(End::Code(0)), "{script}: {run:?}");
        run.output
    }

    /// Starts init with pipes for streams, or a pty where the plan has a terminal.
    pub(crate) fn start(&self, plan: &InitPlan) -> Started {
        let (first, ours) = self.fork_first();
        let memory = plan.seal().unwrap();
        let (output, write) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let null = File::open("/dev/null").unwrap();
        let mut descriptors = vec![memory.as_fd()];
        let streams = plan.terminal.is_none();
        if streams {
            descriptors.extend([null.as_fd(), write.as_fd(), write.as_fd()]);
        }
        ours.send(&ToInit::Start { streams }, &descriptors).unwrap();
        ours.send(&ToInit::Probe, &[]).unwrap();
        Started { channel: ours, output, first }
    }

    /// Forks init as a builder does, in the user namespace around the workload's and as pid 1. Returns its id here, and the way to it.
    fn fork_first(&self) -> (u32, Channel) {
        let (ours, theirs) = Channel::pair().unwrap();
        let (read, tell) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let Some(builder) = sys::fork_child().unwrap() else {
            drop((read, ours));
            if let Some(user) = &self.user {
                move_into_link_name_space(user.as_fd(), Some(LinkNameSpaceType::User)).unwrap();
            }
            move_into_link_name_space(self.agent.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            match sys::fork_sibling(CloneFlags::CLONE_NEWPID).unwrap() {
                Forked::Sibling => {
                    drop(tell);
                    bottle_runtime::init::main(theirs);
                }
                Forked::Original(first) => {
                    rustix::io::write(&tell, &first.to_ne_bytes()).unwrap();
                    sys::exit_now(0);
                }
            }
        };
        drop((tell, theirs));
        let mut first = [0; 4];
        assert_eq!(rustix::io::read(&read, &mut first).unwrap(), 4);
        rustix::process::waitpid(Pid::from_raw(builder), WaitOptions::empty()).unwrap();
        (u32::from_ne_bytes(first), ours)
    }
}

/// A bottle that is being built.
pub(crate) struct Started {
    pub(crate) channel: Channel,
    output: OwnedFd,
    first: u32,
}

impl Started {
    /// Hears everything up to the held workload.
    pub(crate) fn held(self) -> Result<Held, Failure> {
        let pid = self.first;
        match self.channel.recv().unwrap().0 {
            FromInit::Expects { .. } => {}
            other => return reaped(pid, failure(other)),
        }
        let (message, mut descriptors) = self.channel.recv().unwrap();
        let FromInit::Held { executable, .. } = message else {
            return reaped(pid, failure(message));
        };
        for expected in [false, true] {
            match self.channel.recv().unwrap().0 {
                FromInit::Probed { confined, results } => {
                    assert_eq!(confined, expected);
                    assert!(!results.is_empty());
                }
                other => return reaped(pid, failure(other)),
            }
        }
        let pidfd = descriptors.remove(0);
        let workload = pid_of(&pidfd).unwrap();
        Ok(Held {
            channel: self.channel,
            output: self.output,
            first: pid,
            workload,
            executable,
            terminal: descriptors.pop(),
        })
    }
}

fn reaped(pid: u32, failure: Failure) -> Result<Held, Failure> {
    let _ = rustix::process::waitpid(Pid::from_raw(pid as i32), WaitOptions::empty());
    Err(failure)
}

fn failure(message: FromInit) -> Failure {
    match message {
        FromInit::Failed(failure) => failure,
        other => panic!("unexpected: {other:?}"),
    }
}

/// A bottle whose workload stands before its execve.
pub(crate) struct Held {
    pub(crate) channel: Channel,
    output: OwnedFd,
    /// Pid 1 of the bottle, as counted here.
    pub(crate) first: u32,
    /// The workload, as counted here.
    pub(crate) workload: u32,
    pub(crate) executable: String,
    pub(crate) terminal: Option<OwnedFd>,
}

impl Held {
    pub(crate) fn release(self) -> Running {
        self.channel.send(&ToInit::Release, &[]).unwrap();
        Running { held: self }
    }

    pub(crate) fn proc(&self, name: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.workload)).unwrap()
    }

    /// A line of /proc/PID/status.
    pub(crate) fn status(&self, pid: u32, name: &str) -> String {
        let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:"))).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn namespace(&self, pid: u32, kind: &str) -> String {
        std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap().display().to_string()
    }
}

/// A bottle whose workload was released.
pub(crate) struct Running {
    pub(crate) held: Held,
}

impl Running {
    pub(crate) fn signal(&self, number: i32) {
        self.held.channel.send(&ToInit::Signal { number }, &[]).unwrap();
    }

    /// Waits until the workload has printed a line.
    pub(crate) fn line(&self) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        let from = self.held.terminal.as_ref().unwrap_or(&self.held.output);
        while rustix::io::read(from, &mut byte).unwrap() == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned()
    }

    pub(crate) fn finish(self) -> Run {
        let mut run = Run { end: None, failure: None, output: String::new() };
        match self.held.channel.recv().unwrap().0 {
            FromInit::Started => match self.held.channel.recv().unwrap().0 {
                FromInit::Exited(end) => run.end = Some(end),
                other => panic!("unexpected: {other:?}"),
            },
            other => run.failure = Some(failure(other)),
        }
        let first = Pid::from_raw(self.held.first as i32);
        rustix::process::waitpid(first, WaitOptions::empty()).unwrap();
        if self.held.terminal.is_none() {
            File::from(self.held.output).read_to_string(&mut run.output).unwrap();
        }
        run
    }
}

/// What came of a command.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) end: Option<End>,
    pub(crate) failure: Option<Failure>,
    pub(crate) output: String,
}

/// The size of every test terminal.
pub(crate) const WINDOW: Window = Window { rows: 33, columns: 77 };

/// A descriptor for a process of this machine, to wait for its end.
pub(crate) fn pidfd(pid: u32) -> OwnedFd {
    rustix::process::pidfd_open(Pid::from_raw(pid as i32).unwrap(), PidfdFlags::empty()).unwrap()
}
