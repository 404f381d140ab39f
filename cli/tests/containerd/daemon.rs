//! What is an engine's daemon? A process on the lab's host, in mount and process id namespaces of its own, which go with it and all that it
//! starts.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::host;
use crate::machine::Machine;
use crate::running::Held;
use crate::world::{LIMIT, PATH, World};

/// A daemon, and the first process of its namespaces.
pub struct Daemon {
    child: Child,
    first: Held,
    told: Arc<Mutex<String>>,
}

impl Daemon {
    /// Starts it by a script of a shell's, and waits for the line that says that it serves.
    pub fn start(machine: &Machine, script: &str, ready: &str) -> Daemon {
        // The shell takes the place of init: whoever loses its parent is its child.
        let script = format!("{} || exit; {script}", machine.dress());
        let mut command = machine.world.privileged("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", &script]);
        let mut child = command.env_remove("BOTTLE_ROOT").stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut told = String::new();
        while !told.contains(ready) {
            let line = lines.next().unwrap_or_else(|| panic!("it does not start: {told}"));
            told += &format!("{line}\n");
        }
        let first = host::children(child.id());
        let told = Arc::new(Mutex::new(told));
        let more = told.clone();
        std::thread::spawn(move || lines.for_each(|line| *more.lock().unwrap() += &format!("{line}\n")));
        Daemon { child, first: Held::new(first[0]), told }
    }

    /// How often it has said this.
    pub fn told(&self, what: &str) -> usize {
        self.told.lock().unwrap().matches(what).count()
    }

    /// The root that its processes see.
    pub fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.first.pid))
    }

    /// A program among its files and processes.
    pub fn enter(&self, world: &World, program: &str) -> Command {
        let mut command = world.privileged("nsenter");
        command.args(["--mount", "--pid", "--target", &self.first.pid.to_string(), program]);
        command.env("PATH", PATH).env_remove("BOTTLE_ROOT");
        command
    }

    /// All processes below it, those of its containers too, by their first argument.
    pub fn processes(&self) -> Vec<(u32, String)> {
        let parent = |pid: &u32| host::status(*pid, "PPid")?.parse().ok();
        let parents: Vec<(u32, u32)> =
            host::processes().into_iter().filter_map(|pid| Some((pid, parent(&pid)?))).collect();
        let (mut found, mut at) = (vec![self.first.pid], 0);
        while let Some(pid) = found.get(at).copied() {
            found.extend(parents.iter().filter(|(_, parent)| *parent == pid).map(|(child, _)| child));
            at += 1;
        }
        found.into_iter().map(|pid| (pid, host::first_argument(pid))).collect()
    }

    /// Asserts that none is left but those of these names.
    pub fn assert_alone(&self, names: &[&str]) {
        let begun = Instant::now();
        loop {
            let mut left = self.processes();
            left.retain(|(_, name)| !names.contains(&name.as_str()));
            let Some((pid, name)) = left.first() else { break };
            assert!(begun.elapsed() < LIMIT, "{name} is left");
            if let Some(process) = Held::find(*pid) {
                process.ends_within(Duration::from_secs(1));
            }
        }
    }

    /// Ends it, and all that it has started.
    pub fn end(self) {}
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Whoever is in the namespace ends before its first process has.
        self.first.signal_if_alive(Signal::KILL);
        self.first.ends_within(LIMIT);
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.told.lock().unwrap());
        }
    }
}
