//! How does one binary become five processes? It executes itself under a role's name, with a channel as standard input.

use std::convert::Infallible;
use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use bottle_evidence::Digest;
use bottle_netns::enter::OwnIds;
use nix::fcntl::AtFlags;

use crate::builder::Agent;
use crate::channel::Channel;
use crate::digest;
use crate::process::Process;
use crate::sys;

/// What the program is executed as beside the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Forks the helpers, builds the namespaces, ends.
    Builder,
    /// Builds the workload's root, then is its pid 1.
    Init,
    /// Stands beside a container that an engine has made, and tells of its end.
    Warden,
    /// Ends a container that has joined another's bottle, should its supervisor be gone.
    Keeper,
    /// Enters a bottle that runs.
    Enter,
    /// Asks the gate of a bottle that runs, from inside.
    Ask,
    /// Works with the subordinate ids of an ordinary user.
    Steward,
}

const ROLES: [(Role, &str); 7] = [
    (Role::Builder, "bottle-builder"),
    (Role::Init, "bottle-init"),
    (Role::Warden, "bottle-warden"),
    (Role::Keeper, "bottle-keeper"),
    (Role::Enter, "bottle-enter"),
    (Role::Ask, "bottle-ask"),
    (Role::Steward, "bottle-steward"),
];

/// What the builder becomes again, before it does anything else.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Helper {
    /// Parses what the workload sends, relays; can open nothing.
    Gate {
        /// Who it is in the user namespace that it was made in: an ordinary user's has one of its own.
        own: Option<OwnIds>,
    },
    /// Decides, has it recorded, resolves, connects.
    Dialler,
    /// Ends a container whose supervisor is gone.
    Keeper,
    /// Is the workload's pid 1, or stands beside a container, where the builder was executed from where nobody can write.
    Inside(Agent),
}

static DISPATCHED: AtomicBool = AtomicBool::new(false);

/// Becomes the role that this process was executed for, and then never returns; returns at once in any other process.
///
/// A program that runs bottles calls this first in `main`, before it starts a thread.
pub fn dispatch() {
    DISPATCHED.store(true, Ordering::Relaxed);
    let Some((role, name)) = own_role() else { return };
    set_name(name);
    let Ok(channel) = take_channel() else { std::process::exit(125) };
    match role {
        Role::Builder => crate::builder::main(channel),
        Role::Init => crate::init::main(channel),
        Role::Warden => crate::init::stand_beside(channel),
        Role::Keeper => crate::adopt::keeper::main(channel),
        Role::Enter => crate::exec::main(channel),
        Role::Ask => crate::renew::ask::main(channel),
        Role::Steward => crate::subordinate::main(channel),
    }
}

/// The channel that this process was executed with as its standard input, which leads nowhere from now on. Nothing else is
/// open afterwards but standard output and error. For a process that has opened nothing yet.
pub fn take_channel() -> io::Result<Channel> {
    let input = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    // The channel must not stay behind as descriptor 0, or the workload would inherit it.
    replace_stdin()?;
    keep_only(&input)?;
    Ok(Channel::from_owned_fd(input))
}

/// Becomes the helper, in a process that was forked for it and owns nothing else of what is open.
pub(crate) fn become_helper(helper: Helper, channel: OwnedFd) -> ! {
    let name = match helper {
        Helper::Gate { .. } => "bottle-gate",
        Helper::Dialler => "bottle-dialler",
        Helper::Keeper => "bottle-keeper",
        Helper::Inside(agent) => name_inside(agent).to_str().unwrap_or_default(),
    };
    set_name(name);
    let alone = rustix::process::setpgid(None, None).map_err(io::Error::from).and_then(|()| keep_only(&channel));
    // By its first argument a helper is told from the builder in lists of processes.
    if alone.and_then(|()| sys::set_first_argument(name)).is_err() {
        std::process::exit(125);
    }
    let channel = Channel::from_owned_fd(channel);
    match helper {
        Helper::Gate { own } => crate::gate::main(channel, own),
        Helper::Dialler => crate::dialler::main(channel),
        Helper::Keeper => crate::adopt::keeper::main(channel),
        Helper::Inside(Agent::Created) => crate::init::main(channel),
        Helper::Inside(Agent::Adopted) => crate::init::stand_beside(channel),
    }
}

/// What whoever is in the agent's namespace is called there.
fn name_inside(agent: Agent) -> &'static CStr {
    match agent {
        Agent::Created => c"bottle-init",
        Agent::Adopted => c"bottle-warden",
    }
}

/// Executes bottle's own program in the role of init, or of whoever stands where a container has an init of its own, in a
/// process that was forked for it.
pub(crate) fn become_init(agent: Agent, program: &OwnedFd, channel: &OwnedFd) -> ! {
    // Whoever waits for init hears the end of its channel.
    sys::exit_now(execute_init(agent, program, channel).map_or(125, |never| match never {}))
}

fn execute_init(agent: Agent, program: &OwnedFd, channel: &OwnedFd) -> io::Result<Infallible> {
    const NO_VARIABLE: [&CStr; 0] = [];
    rustix::process::setpgid(None, None)?;
    rustix::stdio::dup2_stdin(channel)?;
    keep_capabilities()?;
    Ok(nix::unistd::execveat(program, c"", &[name_inside(agent)], &NO_VARIABLE, AtFlags::AT_EMPTY_PATH)?)
}

/// Those that an ordinary user has in a user namespace end with execve(2) unless they are ambient. Init gives them up itself.
fn keep_capabilities() -> io::Result<()> {
    use rustix::thread::{CapabilitySets, capabilities, configure_capability_in_ambient_set, set_capabilities};
    let held = capabilities(None)?;
    set_capabilities(None, CapabilitySets { inheritable: held.permitted, ..held })?;
    held.permitted.iter().try_for_each(|one| Ok(configure_capability_in_ambient_set(one, true)?))
}

/// Else ps and top show the number of the descriptor that was executed. It is only a name: no failure matters.
fn set_name(name: &str) {
    let _ = std::ffi::CString::new(name).map(|name| rustix::thread::set_name(&name));
}

fn own_role() -> Option<(Role, &'static str)> {
    let name = std::env::args_os().next()?;
    ROLES.into_iter().find(|(_, known)| name == *known)
}

fn replace_stdin() -> io::Result<()> {
    let null = File::open("/dev/null")?;
    Ok(rustix::stdio::dup2_stdin(&null)?)
}

/// Whatever else the caller of the supervisor had open and not marked to be closed would be a role's to use.
fn keep_only(channel: &OwnedFd) -> io::Result<()> {
    use rustix::stdio::{stderr, stdin, stdout};
    sys::close_all_but(&[stdin(), stdout(), stderr(), channel.as_fd()])
}

/// Why the program can't be executed again in a role.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// `dispatch` was not called first in `main`.
    #[error("this program did not call bottle_runtime::dispatch() first in main")]
    NotDispatched,
    /// The program could not be opened.
    #[error("cannot open bottle's own program")]
    Open(#[source] io::Error),
    /// The role could not be executed.
    #[error("cannot start the {role:?} process")]
    Start {
        /// Which one.
        role: Role,
        /// What execve or the channel said.
        source: io::Error,
    },
}

/// The running program's file, held open, so that all processes share its memory.
#[derive(Debug)]
pub struct Program {
    file: OwnedFd,
}

impl Program {
    /// The running program, whatever its path leads to by now.
    pub fn running() -> Result<Program, SpawnError> {
        let file = File::open("/proc/self/exe").map_err(SpawnError::Open)?;
        Program::dispatching(file.into())
    }

    /// The running program's file, by which roles can be executed.
    pub(crate) fn dispatching(file: OwnedFd) -> Result<Program, SpawnError> {
        if DISPATCHED.load(Ordering::Relaxed) { Ok(Program { file }) } else { Err(SpawnError::NotDispatched) }
    }

    /// The same file on a mount of its own.
    pub(crate) fn on_mount(file: OwnedFd) -> Program {
        Program { file }
    }

    /// SHA-256 of the file. `memory` is the file that keeps it for the next run.
    pub(crate) fn digest(&self, memory: &Path) -> io::Result<Digest> {
        digest::of_running(&File::open(self.path())?, memory)
    }

    /// Device and inode: what /proc/PID/exe of a role must lead to.
    pub fn identity(&self) -> io::Result<(u64, u64)> {
        let stat = rustix::fs::fstat(&self.file)?;
        Ok((stat.st_dev, stat.st_ino))
    }

    fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.file.as_raw_fd())
    }

    /// Executes the file in a role. The child has an empty environment, /dev/null for output, and the channel.
    pub fn spawn(&self, role: Role) -> Result<RoleProcess, SpawnError> {
        let start = |source| SpawnError::Start { role, source };
        let (ours, theirs) = Channel::pair().map_err(start)?;
        let name = ROLES.iter().find(|(known, _)| *known == role).map_or("", |(_, name)| *name);
        let child = Command::new(self.path())
            .arg0(name)
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(role_stderr())
            .process_group(0)
            .spawn()
            .map_err(start)?;
        let process = Process::of_child(child.id()).map_err(start)?;
        Ok(RoleProcess { channel: ours, process })
    }
}

impl AsFd for Program {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// A role's words go through its channel only: a terminal would print what a hostile peer made it say.
/// Debug builds keep a panic's message.
fn role_stderr() -> Stdio {
    if cfg!(debug_assertions) { Stdio::inherit() } else { Stdio::null() }
}

/// A process that was started in a role.
#[derive(Debug)]
pub struct RoleProcess {
    /// The way to it.
    pub channel: Channel,
    /// The process.
    pub process: Process,
}
