//! How is a bottle held while it runs? Its lines as they come, its processes by pidfd, its end by an event.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal};

use crate::host;
use crate::world::{LIMIT, Said};

/// A bottle that runs.
pub struct Running {
    child: Child,
    out: BufReader<Patient>,
    err: Receiver<String>,
}

/// Nothing takes longer. Whoever waits for more says what still runs, since it is what holds the pipe.
const LONGEST: Duration = Duration::from_secs(120);

/// What the workload writes, for which nobody waits for ever.
struct Patient(ChildStdout);

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        assert!(ready_within(&self.0, LONGEST), "nothing is written and nothing ends; there run {:?}", names());
        self.0.read(buffer)
    }
}

/// Every process that can be seen, by its first argument.
fn names() -> Vec<String> {
    host::processes().into_iter().map(host::first_argument).filter(|name| !name.is_empty()).collect()
}

fn ready_within(file: &impl AsFd, limit: Duration) -> bool {
    let mut ready = [PollFd::new(file, PollFlags::IN)];
    let limit = Timespec { tv_sec: limit.as_secs().cast_signed(), tv_nsec: i64::from(limit.subsec_nanos()) };
    rustix::event::poll(&mut ready, Some(&limit)).unwrap() == 1
}

/// One process, held so that its id can't come to mean another one.
#[derive(Debug)]
pub struct Held {
    pub pid: u32,
    pub pidfd: OwnedFd,
}

/// The processes of a bottle.
#[derive(Debug)]
pub struct Processes {
    pub supervisor: Held,
    pub dialler: Held,
    pub gate: Held,
    pub init: Held,
    pub workload: Held,
}

impl Running {
    pub fn start(mut command: Command) -> Running {
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        let out = BufReader::new(Patient(child.stdout.take().unwrap()));
        let mut stderr = child.stderr.take().unwrap();
        let (tell, err) = channel();
        std::thread::spawn(move || {
            let mut text = Vec::new();
            stderr.read_to_end(&mut text).unwrap();
            // A test that buries its bottle does not ask.
            let _ = tell.send(String::from_utf8_lossy(&text).into_owned());
        });
        Running { child, out, err }
    }

    /// The id of `bottle run` itself.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line that the workload writes; nothing if it ends before.
    pub fn try_line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        (!line.is_empty()).then(|| line.trim_end().to_owned())
    }

    /// The next line that the workload writes; what it says of an end is a failure with all that was said.
    pub fn line(&mut self) -> String {
        self.try_line().unwrap_or_else(|| {
            let status = self.child.wait();
            panic!("it ended with {status:?} instead of writing a line: {}", told(&self.err));
        })
    }

    /// Waits for the line that says that all is in place.
    pub fn ready(mut self) -> Running {
        assert_eq!(self.line(), "ready");
        self
    }

    /// Writes to the workload's standard input.
    pub fn write(&mut self, text: &str) {
        self.child.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Sends `bottle run` a signal.
    pub fn signal(&self, signal: Signal) {
        Held::new(self.pid()).signal(signal);
    }

    /// All processes, found while all are alive.
    pub fn processes(&self) -> Processes {
        Processes::of(self.pid())
    }

    /// Closes standard input and waits for the end.
    pub fn finish(mut self) -> Said {
        drop(self.child.stdin.take());
        self.end()
    }

    /// Waits for the end, with standard input open.
    pub fn end(mut self) -> Said {
        assert!(Held::new(self.pid()).ends_within(LIMIT), "it still runs");
        let mut out = String::new();
        self.out.read_to_string(&mut out).unwrap();
        let status = self.child.wait().unwrap();
        let code = status.code().unwrap_or_else(|| panic!("{status}"));
        Said { code, out, err: told(&self.err) }
    }

    /// Stops reading what the workload writes, and waits for the end.
    pub fn close_output(self) -> Said {
        let Running { mut child, out, err } = self;
        drop(out);
        assert!(Held::new(child.id()).ends_within(LIMIT), "it still runs");
        let status = child.wait().unwrap();
        Said { code: status.code().unwrap(), out: String::new(), err: told(&err) }
    }

    /// Takes the ended supervisor away, however it ended.
    pub fn bury(mut self) {
        self.child.wait().unwrap();
    }
}

/// All that was said on standard error, whose end is that of everybody who has it.
fn told(err: &Receiver<String>) -> String {
    err.recv_timeout(LONGEST).unwrap_or_else(|_| panic!("standard error does not end; there run {:?}", names()))
}

impl Held {
    /// A process that is there, be it dead.
    pub fn new(pid: u32) -> Held {
        Held::find(pid).unwrap_or_else(|| panic!("{pid} is gone"))
    }

    pub fn find(pid: u32) -> Option<Held> {
        let raw = Pid::from_raw(i32::try_from(pid).ok()?)?;
        Some(Held { pid, pidfd: rustix::process::pidfd_open(raw, PidfdFlags::empty()).ok()? })
    }

    pub fn signal(&self, signal: Signal) {
        rustix::process::pidfd_send_signal(&self.pidfd, signal).unwrap();
    }

    /// Like [`Held::signal`]; whether it lived.
    #[allow(dead_code, reason = "for the tests of faults, which share this file")]
    pub fn signal_if_alive(&self, signal: Signal) -> bool {
        !self.ends_within(Duration::ZERO) && rustix::process::pidfd_send_signal(&self.pidfd, signal).is_ok()
    }

    /// Whether it ends, by the event that the kernel gives.
    pub fn ends_within(&self, limit: Duration) -> bool {
        ready_within(&self.pidfd, limit)
    }
}

impl Processes {
    /// Those of the bottle with this supervisor, found while all are alive.
    pub fn of(supervisor: u32) -> Processes {
        let of_role = |name: &str| {
            let found = host::children(supervisor).into_iter().find(|pid| host::first_argument(*pid) == name);
            Held::new(found.unwrap_or_else(|| panic!("no {name}")))
        };
        let init = of_role("bottle-init");
        let workload = Held::new(host::children(init.pid)[0]);
        Processes {
            supervisor: Held::new(supervisor),
            dialler: of_role("bottle-dialler"),
            gate: of_role("bottle-gate"),
            init,
            workload,
        }
    }

    pub fn all(&self) -> [&Held; 5] {
        [&self.supervisor, &self.dialler, &self.gate, &self.init, &self.workload]
    }
}
