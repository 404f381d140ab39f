//! What does each attempt do? It runs in a process of its own, so whatever it makes is gone when it has answered.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::Stdio;

use bottle_images::{IDS, IdMap};
use bottle_netns::Layout;
use bottle_netns::build::{Owner, build};
use bottle_netns::enter;
use bottle_runtime::builder::program::{self, ProgramError};
use bottle_runtime::caller::Caller;
use bottle_runtime::cgroups::{self, Controller};
use bottle_runtime::report::chain;
use landlock::{ABI, Access, AccessFs, LandlockStatus, Ruleset, RulesetAttr, RulesetStatus};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use rustix::mount::{OpenTreeFlags, open_tree};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::airlock;
use super::attempt::{self, Answer, Attempt, Step};

/// Makes an attempt in this process, which ends afterwards.
pub fn make(attempt: Attempt) -> Answer {
    let outcome = match attempt {
        Attempt::UserNamespace => user_namespace().map(|_| None),
        Attempt::NetworkNamespace => network_namespace(),
        Attempt::Airlock => build_airlock(),
        Attempt::Proc => return proc_of_a_pid_namespace(),
        Attempt::ProcInside => mount_proc(),
        Attempt::Overlay => overlay(),
        Attempt::Idmap => return idmap(),
        Attempt::HoldNamespace => hold_namespace(),
        Attempt::Landlock => return landlock(),
        Attempt::Seccomp => seccomp(),
        Attempt::Pidfd => pidfd(),
        Attempt::ReadOnlyProgram => read_only_program(),
        Attempt::MemoryLimit => return limit(Controller::Memory),
        Attempt::CpuLimit => return limit(Controller::Cpu),
        Attempt::ProcessLimit => return limit(Controller::Pids),
        Attempt::HigherLimit => higher_limit(),
        Attempt::SubordinateIds => return subordinate_ids(),
        Attempt::Nothing => Ok(None),
    };
    outcome.map_or_else(|failed| failed, Answer::Worked)
}

/// What an attempt ends with: something to say about it, or the answer that it failed.
type Outcome = Result<Option<String>, Answer>;

/// The failure of a step as an answer.
fn at<E: Into<io::Error>>(step: Step) -> impl FnOnce(E) -> Answer {
    move |error| {
        let error = error.into();
        Answer::Failed { step, errno: error.raw_os_error(), text: error.to_string() }
    }
}

/// A user namespace in which the caller's ids are mapped to themselves, as bottle makes it for an ordinary user.
fn user_namespace() -> Result<OwnedFd, Answer> {
    enter::enter_user_namespace().map_err(airlock::namespace_refused)
}

fn network_namespace() -> Outcome {
    become_owner()?;
    enter::enter_network_namespace().map_err(airlock::namespace_refused)?;
    Ok(None)
}

/// What bottle does: root needs no user namespace to own a network namespace, anybody else does.
fn become_owner() -> Result<Owner, Answer> {
    if nix::unistd::geteuid().is_root() { Ok(Owner::Inherited) } else { user_namespace().map(Owner::Own) }
}

fn build_airlock() -> Outcome {
    let owner = become_owner()?;
    match build(&Layout::default(), owner) {
        Ok(_) => Ok(None),
        Err(error) => Err(airlock::refused(error)),
    }
}

/// Being pid 1 of a pid namespace takes a process more.
fn proc_of_a_pid_namespace() -> Answer {
    match enter_as_root() {
        Ok(()) => attempt::make(Attempt::ProcInside),
        Err(failed) => failed,
    }
}

/// The caller is called root inside: only then does it keep its capabilities when it executes a program.
fn enter_as_root() -> Result<(), Answer> {
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    let flags = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS;
    unshare(flags).map_err(at(Step::Namespace))?;
    let maps = [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", format!("0 {uid} 1")),
        ("/proc/self/gid_map", format!("0 {gid} 1")),
    ];
    for (path, text) in maps {
        fs::write(path, text).map_err(at(Step::Namespace))?;
    }
    Ok(())
}

fn mount_proc() -> Outcome {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>).map_err(at(Step::Elsewhere))?;
    Ok(None)
}

/// A throw-away layer over /usr, as the `host` image has it.
fn overlay() -> Outcome {
    user_namespace()?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(at(Step::Namespace))?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).map_err(at(Step::Namespace))?;
    mount(Some("tmpfs"), "/tmp", Some("tmpfs"), MsFlags::empty(), None::<&str>).map_err(at(Step::Namespace))?;
    for directory in ["/tmp/upper", "/tmp/work", "/tmp/merged"] {
        fs::create_dir(directory).map_err(at(Step::Elsewhere))?;
    }
    let options = "lowerdir=/usr,upperdir=/tmp/upper,workdir=/tmp/work,userxattr";
    mount(Some("overlay"), "/tmp/merged", Some("overlay"), MsFlags::empty(), Some(options))
        .map_err(at(Step::Elsewhere))?;
    fs::metadata("/tmp/merged/bin").map_err(at(Step::Elsewhere))?;
    Ok(None)
}

/// Only root may map the ids of a mount; the mapping is another process's user namespace.
fn idmap() -> Answer {
    if !nix::unistd::geteuid().is_root() {
        return Answer::NotTried("only root can map the ids of a mount".into());
    }
    idmap_as_root().map_or_else(at(Step::Elsewhere), |()| Answer::Worked(None))
}

fn idmap_as_root() -> io::Result<()> {
    let mut holder = attempt::command(Attempt::HoldNamespace).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let ready = holder.stdout.as_mut().map(|output| output.read(&mut [0]));
    let mapped = match ready {
        Some(Ok(1)) => map_mount_through(holder.id()),
        _ => Err(io::Error::other("the user namespace to map through could not be made")),
    };
    drop(holder.stdin.take());
    holder.wait()?;
    mapped
}

fn map_mount_through(pid: u32) -> io::Result<()> {
    for map in ["uid_map", "gid_map"] {
        fs::write(format!("/proc/{pid}/{map}"), "0 1879048192 65536")?;
    }
    let namespace = File::open(format!("/proc/{pid}/ns/user"))?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(rustix::fs::CWD, ".", flags)?;
    bottle_runtime::sys::set_tree_attributes(tree.as_fd(), 0, Some(namespace.as_fd()))
}

/// Makes a user namespace, says so with one byte, and keeps it until standard input ends.
fn hold_namespace() -> Outcome {
    unshare(CloneFlags::CLONE_NEWUSER).map_err(at(Step::Namespace))?;
    io::stdout().write_all(b" ").and_then(|()| io::stdout().flush()).map_err(at(Step::Elsewhere))?;
    io::stdin().read(&mut [0]).map_err(at(Step::Elsewhere))?;
    Ok(None)
}

fn landlock() -> Answer {
    let restricted = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V1))
        .and_then(|ruleset| ruleset.create())
        .and_then(|ruleset| ruleset.restrict_self());
    let status = match restricted {
        Ok(status) => status,
        Err(error) => {
            return Answer::Failed { step: Step::Elsewhere, errno: None, text: error.to_string() };
        }
    };
    match (status.ruleset, status.landlock) {
        (RulesetStatus::FullyEnforced, LandlockStatus::Available { effective_abi, kernel_abi }) => {
            let abi = kernel_abi.unwrap_or(effective_abi as i32);
            Answer::Worked(Some(format!("ABI {abi}")))
        }
        (_, LandlockStatus::NotEnabled) => refused(nix::errno::Errno::EOPNOTSUPP),
        _ => refused(nix::errno::Errno::ENOSYS),
    }
}

fn refused(errno: nix::errno::Errno) -> Answer {
    at(Step::Elsewhere)(errno)
}

/// A filter that lets everything through.
fn seccomp() -> Outcome {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
    let unusable = |error: &dyn std::fmt::Display| Answer::NotTried(error.to_string());
    let arch = std::env::consts::ARCH.try_into().map_err(|error: seccompiler::BackendError| unusable(&error))?;
    let filter = SeccompFilter::new(Default::default(), SeccompAction::Allow, SeccompAction::Log, arch)
        .map_err(|error| unusable(&error))?;
    let program = BpfProgram::try_from(filter).map_err(|error| unusable(&error))?;
    match seccompiler::apply_filter(&program) {
        Ok(()) => Ok(None),
        Err(seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error)) => Err(at(Step::Elsewhere)(error)),
        Err(error) => Err(Answer::Failed { step: Step::Elsewhere, errno: None, text: error.to_string() }),
    }
}

fn pidfd() -> Outcome {
    let own = rustix::process::getpid();
    rustix::process::pidfd_open(own, rustix::process::PidfdFlags::empty()).map_err(at(Step::Elsewhere))?;
    Ok(None)
}

/// What a run with such a limit does, without the run.
fn limit(what: Controller) -> Answer {
    match cgroups::attempt(what) {
        Ok(place) => Answer::Worked(Some(format!("in {}", place.display()))),
        Err(error) => Answer::Refused { text: chain(&error).join(": "), mend: error.hint() },
    }
}

/// Only who may raise a hard limit can undo what was lowered.
fn higher_limit() -> Outcome {
    let before = getrlimit(Resource::Msgqueue);
    let lowered = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Msgqueue, lowered).map_err(at(Step::Elsewhere))?;
    setrlimit(Resource::Msgqueue, before).map_err(at(Step::Elsewhere))?;
    Ok(None)
}

/// What a run of an image does first: it has newuidmap and newgidmap map the ids.
fn subordinate_ids() -> Answer {
    let caller = match Caller::current() {
        Ok(caller) if caller.uid == 0 => {
            return Answer::NotTried("root takes them from a range of bottle's own".into());
        }
        Ok(caller) => caller,
        Err(error) => return Answer::NotTried(format!("the working directory is gone: {error}")),
    };
    match caller.find_subordinate() {
        Err(lacking) => Answer::Refused { text: format!("one id inside, since {lacking}{COST}"), mend: lacking.mend() },
        Ok(found) => match found.namespace() {
            Ok(_) => Answer::Worked(Some(granted(found.map()))),
            Err(error) => Answer::Refused {
                text: format!("no image can be run: {}", chain(&error).join(": ")),
                mend: error.hint(),
            },
        },
    }
}

/// What one id costs.
const COST: &str = ": all files of an image seem to be the command's, and no file of it can have another owner; the way out is guarded \
                    all the same";

fn granted(IdMap { uids, gids }: IdMap) -> String {
    let (last_uid, last_gid) = (uids.first + (IDS - 1), gids.first + (IDS - 1));
    format!("your own, uids {}-{last_uid} and gids {}-{last_gid}", uids.first, gids.first)
}

/// Init executes the program from a mount that nobody can write.
fn read_only_program() -> Outcome {
    let _owner = become_owner()?;
    let program = program::read_only().map_err(program_refused)?;
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&program));
    let status = attempt::command_at(Path::new(&path), Attempt::Nothing)
        .stdout(Stdio::null())
        .status()
        .map_err(at(Step::Elsewhere))?;
    if status.success() { Ok(None) } else { Err(Answer::NotTried(format!("it ended with {status}"))) }
}

fn program_refused(error: ProgramError) -> Answer {
    match error {
        ProgramError::Mount { source, .. } => at(Step::Elsewhere)(source),
        other => Answer::NotTried(other.to_string()),
    }
}
