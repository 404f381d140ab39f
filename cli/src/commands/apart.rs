//! How does a supervisor live apart from whoever asked for it? As this program, executed again or forked, in a session of its own.
//!
//! It tells the one that waits when the command runs or why it never will. Nothing of its own leads to that one's standard
//! streams, so that nobody waits for them longer.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bottle_runtime::channel::Channel;
use bottle_runtime::event::Event;
use bottle_runtime::report::chain;
use bottle_runtime::{roles, sys};
use rustix::process::{Pid, Signal, WaitOptions};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::run::{FAILED, news};
use crate::report::Failure;

/// To whoever waits; the last is `Running` or `Failed`.
#[derive(Serialize, Deserialize)]
enum Word {
    /// Something that should be read.
    Said(String),
    /// The command was executed.
    Running { id: String },
    /// It was not.
    Failed { code: u8, why: Vec<String>, hint: Option<String> },
}

/// Why a supervisor did not start.
#[derive(Debug, thiserror::Error)]
enum DetachError {
    /// This program can't be executed again.
    #[error("cannot start a supervisor apart from its caller")]
    Start(#[source] io::Error),
    /// It says nothing.
    #[error("the supervisor has said nothing for too long, so that nobody knows whether the command may run")]
    Late,
    /// It ended and did not say why.
    #[error("the supervisor ended before the command ran")]
    Silent(#[source] io::Error),
}

/// An error and its sources, as another process told them.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
struct Told {
    what: String,
    source: Option<Box<Told>>,
}

impl Told {
    fn of(why: Vec<String>) -> Option<Box<Told>> {
        why.into_iter().rev().fold(None, |source, what| Some(Box::new(Told { what, source })))
    }
}

/// Starts a supervisor under a name, tells it what to begin with, and waits until the command runs. Returns the bottle's id.
pub fn start(
    name: &str,
    arguments: Vec<OsString>,
    begin: &impl Serialize,
    patience: Option<Duration>,
    said: impl FnMut(&str),
) -> Result<String, Failure> {
    let supervisor = spawn(name, arguments).map_err(not_started)?;
    // A supervisor that is gone has said why, which is heard next.
    let _ = supervisor.channel.send(begin, &[]);
    supervisor.hear(patience, said)
}

/// Which side of [`fork`] returned.
pub enum Side {
    /// The one that called, which has to hear the other out.
    Caller(Supervisor),
    /// The supervisor. What its side returns is nobody's to print.
    Supervisor(Starter),
}

/// Forks a supervisor under a name, which goes on with all that this process knows. This one has a single thread, and holds
/// no descriptor but the standard streams.
pub fn fork(name: &str) -> Result<Side, Failure> {
    forked(name).map_err(not_started)
}

fn forked(name: &str) -> io::Result<Side> {
    let (ours, theirs) = Channel::pair()?;
    match sys::fork_child()? {
        Some(pid) => Ok(Side::Caller(Supervisor { channel: ours, pid: known(pid)? })),
        None => {
            drop(ours);
            let null = File::options().read(true).write(true).open("/dev/null")?;
            rustix::stdio::dup2_stdout(&null)?;
            rustix::stdio::dup2_stderr(&null)?;
            rustix::stdio::dup2_stdin(OwnedFd::from(theirs))?;
            drop(null);
            let channel = roles::take_channel()?;
            rustix::process::setsid()?;
            // They are only names.
            let _ = std::ffi::CString::new(name).map(|name| rustix::thread::set_name(&name));
            let _ = sys::replace_arguments(name);
            Ok(Side::Supervisor(Starter(Mutex::new(Some(channel)))))
        }
    }
}

fn not_started(source: io::Error) -> Failure {
    Failure::new(DetachError::Start(source)).with_code(FAILED)
}

fn known(pid: i32) -> io::Result<Pid> {
    Pid::from_raw(pid).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// A supervisor that was started, and the way to it.
pub struct Supervisor {
    channel: Channel,
    pid: Pid,
}

impl Supervisor {
    /// Waits until the command runs. Returns the bottle's id.
    pub fn hear(self, patience: Option<Duration>, said: impl FnMut(&str)) -> Result<String, Failure> {
        hear(&self.channel, patience, said).inspect_err(|failure| self.see_it_end(failure))
    }

    /// One that failed ends by itself; of one that is silent nobody knows. Whoever waits for us is not left with an orphan: crun, in
    /// whose hook we may be, takes the end of one for the end of the hook, and then waits for that until its time is over.
    fn see_it_end(&self, failure: &Failure) {
        if matches!(failure.error.downcast_ref(), Some(DetachError::Late)) {
            // One that has ended meanwhile needs it no more.
            let _ = rustix::process::kill_process(self.pid, Signal::KILL);
        }
        // It is our child, so that there is nothing else to be said of it.
        while let Err(rustix::io::Errno::INTR) = rustix::process::waitpid(Some(self.pid), WaitOptions::empty()) {}
    }
}

/// Hears a supervisor out, each of whose words may take so long.
fn hear(channel: &Channel, patience: Option<Duration>, mut said: impl FnMut(&str)) -> Result<String, Failure> {
    let silent = |source| Failure::new(DetachError::Silent(source)).with_code(FAILED);
    loop {
        let in_time = patience.map_or(Ok(true), |patience| channel.wait_readable(patience));
        if !in_time.map_err(silent)? {
            return Err(Failure::new(DetachError::Late).with_code(FAILED));
        }
        match channel.recv::<Word>().map_err(silent)?.0 {
            Word::Said(line) => said(&line),
            Word::Running { id } => return Ok(id),
            Word::Failed { code, why, hint } => {
                let error =
                    Told::of(why).map_or_else(|| "nothing was said".into(), |told| told as Box<dyn std::error::Error>);
                return Err(Failure { code, error, hint });
            }
        }
    }
}

fn spawn(name: &str, arguments: Vec<OsString>) -> io::Result<Supervisor> {
    let (ours, theirs) = Channel::pair()?;
    let mut supervisor = Command::new("/proc/self/exe");
    supervisor.arg0(name).args(arguments);
    supervisor.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null()).stderr(Stdio::null());
    let pid = i32::try_from(supervisor.spawn()?.id()).map_err(io::Error::other)?;
    Ok(Supervisor { channel: ours, pid: known(pid)? })
}

/// In a process that was executed for it: takes the channel, leaves the session, and hears what to begin with.
pub fn begin<T: DeserializeOwned>() -> io::Result<(T, Starter)> {
    let channel = roles::take_channel()?;
    rustix::process::setsid()?;
    let begin = channel.recv::<T>()?.0;
    Ok((begin, Starter(Mutex::new(Some(channel)))))
}

/// Whoever waits, until it was told that the command runs.
pub struct Starter(Mutex<Option<Channel>>);

impl Starter {
    /// Tells it on.
    pub fn hear(&self, event: &Event) {
        let mut channel = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = channel.as_ref() else { return };
        // Where nobody waits any more the bottle runs on: it is listed, and can be stopped.
        if let Event::Running { id } = event {
            let _ = open.send(&Word::Running { id: id.clone() }, &[]);
            *channel = None;
        } else {
            news::words(event).into_iter().for_each(|line| drop(open.send(&Word::Said(line), &[])));
        }
    }

    /// Tells that the command never runs. Returns what to exit with.
    pub fn fail(&self, failure: &Failure) -> ExitCode {
        let channel = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (why, hint) = (chain(failure.error.as_ref()), failure.hint.clone());
        if let Some(open) = channel.as_ref() {
            let _ = open.send(&Word::Failed { code: failure.code, why, hint }, &[]);
        }
        ExitCode::from(failure.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supervisor_that_is_silent_is_not_waited_for_without_end() {
        let (ours, theirs) = Channel::pair().expect("a channel");
        let late = hear(&ours, Some(Duration::ZERO), |_| ()).expect_err("nothing was said");
        assert!(late.error.to_string().contains("said nothing"), "{}", late.error);
        theirs.send(&Word::Said("soon".into()), &[]).expect("there is room");
        theirs.send(&Word::Running { id: "1".into() }, &[]).expect("there is room");
        let mut lines = Vec::new();
        let id = hear(&ours, Some(Duration::ZERO), |line| lines.push(line.to_owned())).expect("it runs");
        assert_eq!((id.as_str(), lines), ("1", vec!["soon".to_owned()]));
        drop(theirs);
        assert!(hear(&ours, None, |_| ()).is_err());
    }
}
