//! What happens when it is tried? Each attempt runs in a process of its own, which ends with it.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::tries;

/// The name under which this program is executed to make one attempt.
const ARGV0: &str = "bottle-doctor";

/// What can be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attempt {
    /// A user namespace with the caller's own ids.
    UserNamespace,
    /// A network namespace in it.
    NetworkNamespace,
    /// Both namespaces of a bottle, with links, routes, rules and listeners.
    Airlock,
    /// A /proc for a pid namespace.
    Proc,
    /// An overlay over /usr.
    Overlay,
    /// An idmapped mount of the working directory.
    Idmap,
    /// A Landlock ruleset.
    Landlock,
    /// A seccomp filter.
    Seccomp,
    /// A pidfd.
    Pidfd,
    /// Executing this program from a read-only mount.
    ReadOnlyProgram,
    /// A control group that bounds memory.
    MemoryLimit,
    /// One that bounds processor time.
    CpuLimit,
    /// One that bounds the number of processes.
    ProcessLimit,
    /// A hard limit of a process that is raised.
    HigherLimit,
    /// A user namespace with the caller's range of ids.
    SubordinateIds,
    /// Part of `Proc`, inside the pid namespace.
    ProcInside,
    /// Part of `Idmap`: the process whose user namespace the mount is mapped through.
    HoldNamespace,
    /// Part of `ReadOnlyProgram`: what the program does.
    Nothing,
}

/// Those that the findings consist of, in the order in which they are made.
pub const ATTEMPTS: [Attempt; 15] = [
    Attempt::UserNamespace,
    Attempt::NetworkNamespace,
    Attempt::Airlock,
    Attempt::Proc,
    Attempt::Overlay,
    Attempt::Idmap,
    Attempt::Landlock,
    Attempt::Seccomp,
    Attempt::Pidfd,
    Attempt::ReadOnlyProgram,
    Attempt::MemoryLimit,
    Attempt::CpuLimit,
    Attempt::ProcessLimit,
    Attempt::HigherLimit,
    Attempt::SubordinateIds,
];

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It worked; what there is to say about it, if anything.
    Worked(Option<String>),
    /// It did not.
    Failed {
        /// Which step of it.
        step: Step,
        /// What the kernel said, if it was the kernel.
        errno: Option<i32>,
        /// The same in words.
        text: String,
    },
    /// It did not, and whoever tried knows what mends it, if anything does.
    Refused {
        /// What was said.
        text: String,
        /// What to do.
        mend: Option<String>,
    },
    /// It was not tried, or nothing is known of its end.
    NotTried(String),
}

/// The step of an attempt that failed, in the order in which the airlock takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Making namespaces.
    Namespace,
    /// A kernel setting in them.
    Setting,
    /// The veth pair.
    Veth,
    /// Packet rules.
    Nftables,
    /// Addresses, neighbours, routes.
    Link,
    /// The rule that delivers to a local socket whatever the destination.
    Tproxy,
    /// The rule that logs what was refused.
    Nflog,
    /// Listening sockets.
    Socket,
    /// Something that says nothing about the steps before it.
    Elsewhere,
}

/// Makes the attempt that this process was executed for and ends; returns at once in any other process.
pub fn dispatch() {
    let mut arguments = std::env::args();
    if arguments.next().as_deref() != Some(ARGV0) {
        return;
    }
    let attempt = arguments.next().and_then(|name| serde_json::from_str(&name).ok());
    let answer = attempt.map_or(Answer::NotTried("no such attempt".into()), tries::make);
    // If nobody reads it, nobody misses it.
    let _ = serde_json::to_writer(std::io::stdout(), &answer);
    std::process::exit(0);
}

/// Makes one attempt in a process of its own.
pub fn make(attempt: Attempt) -> Answer {
    let output = command(attempt).output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            return Answer::NotTried(format!("this program can't execute itself: {error}"));
        }
    };
    if !output.status.success() {
        return Answer::NotTried(format!("the attempt ended with {}", output.status));
    }
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| Answer::NotTried("the attempt gave no answer".into()))
}

/// This program, to be executed for an attempt.
pub fn command(attempt: Attempt) -> Command {
    command_at(Path::new("/proc/self/exe"), attempt)
}

/// The same, by another path.
pub fn command_at(program: &Path, attempt: Attempt) -> Command {
    let name = serde_json::to_string(&attempt).unwrap_or_default();
    let mut command = Command::new(program);
    command.arg0(ARGV0).arg(name).stdin(Stdio::null()).stderr(Stdio::null());
    command
}
