//! What must hold for each process before the workload may run? Measured, not assumed.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use bottle_evidence::Digest;
use bottle_netns::survey::Survey;

use super::AttestError;
use super::binding::Held;
use super::membership::processes_in;
use super::process::{ProcessFacts, file_digest, measure};
use crate::airlock::Airlock;

/// The processes of a bottle, measured and found in order.
pub(crate) struct Processes {
    pub(crate) workload: ProcessFacts,
    pub(crate) init: ProcessFacts,
    pub(crate) gate: ProcessFacts,
    pub(crate) dialler: ProcessFacts,
    pub(crate) executable: Digest,
    pub(crate) in_agent: Vec<u32>,
    pub(crate) in_gate: Vec<u32>,
}

/// A measured process under its name, with the checks that more than one needs.
struct Subject<'a> {
    who: &'static str,
    facts: &'a ProcessFacts,
}

/// Measures all, and demands of each what its part in the design demands.
pub(super) fn measured(airlock: &Airlock, held: &Held, state: &Survey) -> Result<Processes, AttestError> {
    let look = |who, pid| measure(pid).map_err(|source| AttestError::Measure { who, source });
    let own = look("supervisor", std::process::id())?;
    let (init, gate, dialler) = (&airlock.init.process, &airlock.gate.process, &airlock.dialler.process);
    let processes = Processes {
        workload: look("workload", held.pid())?,
        init: look("init", init.pid())?,
        gate: look("gate", gate.pid())?,
        dialler: look("dialler", dialler.pid())?,
        executable: file_digest(held.pid(), Path::new(held.executable()))
            .map_err(|source| AttestError::Measure { who: "workload", source })?,
        in_agent: members(state.agent.identity.inode)?,
        in_gate: members(state.gate.identity.inode)?,
    };
    let agent = format!("net:[{}]", state.agent.identity.inode);
    workload(&processes.workload, &own, &agent)?;
    Subject { who: "init", facts: &processes.init }.lives_apart(&own, &["pid", "mnt", "ipc", "uts", "cgroup"])?;
    gate_process(&processes.gate, &own)?;
    dialler_process(&processes.dialler, &own)?;
    only_ours(airlock, held, &processes)?;
    the_same_program(airlock)?;
    Ok(processes)
}

fn members(inode: u64) -> Result<Vec<u32>, AttestError> {
    processes_in(inode).map_err(|source| AttestError::Step { step: "look for processes in the namespaces", source })
}

fn workload(facts: &ProcessFacts, own: &ProcessFacts, agent: &str) -> Result<(), AttestError> {
    let subject = Subject { who: "workload", facts };
    subject.confined()?;
    subject.demand(facts.uids.split(' ').all(|uid| uid != "0"), "has the host's uid 0")?;
    subject.demand(facts.gids.split(' ').all(|gid| gid != "0"), "has the host's gid 0")?;
    subject.demand(facts.namespaces.get("net").is_some_and(|net| net == agent), "is not in the agent namespace")?;
    subject.lives_apart(own, &["user", "pid_for_children", "mnt", "ipc", "uts", "cgroup"])?;
    let harmless = |kind: &&String| matches!(kind.as_str(), "pipe" | "/dev/null") || kind.starts_with("/dev/pts/");
    let strange = facts.descriptors.iter().find(|(_, kind)| !harmless(kind));
    match strange {
        Some((number, kind)) => Err(subject.wrong(format!("holds descriptor {number}: {kind}"))),
        None => Ok(()),
    }
}

fn gate_process(facts: &ProcessFacts, own: &ProcessFacts) -> Result<(), AttestError> {
    let subject = Subject { who: "gate", facts };
    subject.confined()?;
    subject.lives_apart(own, &["net", "pid", "mnt", "ipc", "uts", "cgroup"])?;
    subject.demand(facts.mounts.len() == 1, "sees more than one mount")
}

fn dialler_process(facts: &ProcessFacts, own: &ProcessFacts) -> Result<(), AttestError> {
    let subject = Subject { who: "dialler", facts };
    subject.confined().and_then(|()| {
        subject
            .demand(facts.namespaces.get("net") == own.namespaces.get("net"), "is not in the host's network namespace")
    })
}

/// In the agent namespace only init and the held workload, in the gate namespace nobody.
fn only_ours(airlock: &Airlock, held: &Held, processes: &Processes) -> Result<(), AttestError> {
    let mut expected = [airlock.init.process.pid(), held.pid()];
    expected.sort_unstable();
    let wrong = |what| Err(AttestError::Process { who: "workload", what });
    if processes.in_agent != expected {
        return wrong(format!("is not alone in its namespace: {:?} are there", processes.in_agent));
    }
    if !processes.in_gate.is_empty() {
        return wrong(format!("has company in the gate namespace: {:?}", processes.in_gate));
    }
    Ok(())
}

/// Each role still executes the sealed copy.
fn the_same_program(airlock: &Airlock) -> Result<(), AttestError> {
    let identity = airlock
        .program
        .identity()
        .map_err(|source| AttestError::Step { step: "identify bottle's own program", source })?;
    let roles =
        [("init", &airlock.init.process), ("gate", &airlock.gate.process), ("dialler", &airlock.dialler.process)];
    for (who, process) in roles {
        let executable = std::fs::metadata(format!("/proc/{}/exe", process.pid()));
        if !executable.is_ok_and(|file| (file.dev(), file.ino()) == identity) {
            return Err(AttestError::Process { who, what: "executes something else than bottle".into() });
        }
    }
    Ok(())
}

impl Subject<'_> {
    fn wrong(&self, what: impl Into<String>) -> AttestError {
        AttestError::Process { who: self.who, what: what.into() }
    }

    fn demand(&self, holds: bool, otherwise: &str) -> Result<(), AttestError> {
        if holds { Ok(()) } else { Err(self.wrong(otherwise)) }
    }

    /// No capability that it could use or gain, no_new_privs, a seccomp filter.
    fn confined(&self) -> Result<(), AttestError> {
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            let empty = self.facts.capabilities.get(set).is_some_and(|mask| mask.bytes().all(|digit| digit == b'0'));
            self.demand(empty, "has capabilities")?;
        }
        self.demand(self.facts.no_new_privs, "could gain privileges")?;
        self.demand(self.facts.seccomp == 2, "has no seccomp filter")
    }

    fn lives_apart(&self, own: &ProcessFacts, namespaces: &[&str]) -> Result<(), AttestError> {
        for name in namespaces {
            let (theirs, ours) = (self.facts.namespaces.get(*name), own.namespaces.get(*name));
            if theirs.is_none() || theirs == ours {
                return Err(self.wrong(format!("shares the host's {name} namespace")));
            }
        }
        Ok(())
    }
}
