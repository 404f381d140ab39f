//! What must hold for each process before the workload may run? Measured, not assumed.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use bottle_evidence::Digest;
use bottle_images::{Line, spelled};
use rustix::fs::StatVfsMountFlags;

use super::binding::Held;
use super::membership::{Leaving, settled_processes_in};
use super::mounts;
use super::process::{MeasureError, ProcessFacts, file_digest, identify, measure, read};
use super::{AttestError, THREAD, in_step};
use crate::airlock::Airlock;
use crate::digest::Ahead;
use crate::roles::Program;
use crate::subordinate::Subordinate;
use crate::thread;

/// The processes of a bottle, measured and found in order.
pub(crate) struct Processes {
    pub(crate) workload: ProcessFacts,
    pub(crate) init: ProcessFacts,
    pub(crate) gate: ProcessFacts,
    pub(crate) dialler: ProcessFacts,
    /// Of a container.
    pub(crate) keeper: Option<ProcessFacts>,
    pub(crate) executable: Digest,
    pub(crate) in_agent: Vec<u32>,
    pub(crate) in_gate: Vec<u32>,
    /// What the kernel says of each limit.
    pub(crate) limits: BTreeMap<String, String>,
}

/// A measured process under its name, with the checks that more than one needs.
pub(super) struct Subject<'a> {
    pub(super) who: &'static str,
    pub(super) facts: &'a ProcessFacts,
}

/// The supervisor itself, with which the others are compared.
pub(crate) fn own() -> Result<ProcessFacts, AttestError> {
    identify(std::process::id()).map_err(|source| AttestError::Measure { who: "supervisor", source })
}

/// The workload that stands before its execve(2), measured and found in order, and what it will execute.
pub(super) struct OnHold {
    pub(super) workload: ProcessFacts,
    pub(super) executable: Digest,
}

/// Measures the workload, and demands of it what it must be.
pub(super) fn on_hold(airlock: &Airlock, held: &Held, own: &ProcessFacts) -> Result<ProcessFacts, AttestError> {
    let facts = look("workload", held.pid())?;
    let agent = format!("net:[{}]", airlock.state.agent.identity.inode);
    match &airlock.plan.adopted {
        None => {
            let (ids, user) = (airlock.plan.workload_ids(), &airlock.plan.files.user);
            workload(&facts, own, &agent, ids.maps((user.uid, user.gid)))?;
            only_planned_mounts(airlock, held)?;
        }
        Some(adopted) => super::adopted::container(&facts, own, &agent, adopted)?,
    }
    Ok(facts)
}

/// What it will execute, hashed. A large program takes its time, so this comes last.
pub(super) fn executable(airlock: &Airlock, held: &Held, ahead: Option<&Ahead>) -> Result<Digest, AttestError> {
    let executable = match &airlock.plan.adopted {
        None => program(held, ahead, airlock.plan.subordinate.as_deref()),
        Some(adopted) => {
            let path = adopted.program.path().to_owned();
            adopted.program.digest().map_err(|source| MeasureError { path, source })
        }
    };
    executable.map_err(|source| AttestError::Measure { who: "workload", source })
}

/// Those who do nothing any more until the workload runs, measured.
pub(super) struct InitAndDialler {
    init: ProcessFacts,
    dialler: ProcessFacts,
}

/// Measures them.
pub(super) fn init_and_dialler(airlock: &Airlock) -> Result<InitAndDialler, AttestError> {
    let init = look("init", airlock.init.process.pid())?;
    Ok(InitAndDialler { init, dialler: look("dialler", airlock.dialler.process.pid())? })
}

/// Measures all others, and demands of each what its part in the design demands.
pub(super) fn measured(
    airlock: &Airlock,
    held: &Held,
    on_hold: OnHold,
    helpers: InitAndDialler,
    own: &ProcessFacts,
    members: JoinHandle<io::Result<[Vec<u32>; 2]>>,
) -> Result<Processes, AttestError> {
    let processes = found(airlock, held, on_hold, helpers, members)?;
    match &airlock.plan.adopted {
        None => init_process(&processes.init, own, airlock.plan.workload_ids().around())?,
        Some(_) => {
            super::adopted::warden(&processes.init, own, &processes.workload)?;
            let keeper = airlock.keeper.as_ref().zip(processes.keeper.as_ref());
            let missing = || AttestError::Process { who: "keeper", what: "is not there".into() };
            let (keeper, facts) = keeper.ok_or_else(missing)?;
            super::adopted::keeper(keeper.process().pid(), facts, own, &airlock.program)?;
        }
    }
    gate_process(&processes.gate, own)?;
    dialler_process(&processes.dialler, own)?;
    only_ours(airlock, held, &processes)?;
    let (init, gate, dialler) = (&airlock.init.process, &airlock.gate.process, &airlock.dialler.process);
    the_same_program(&airlock.program, init.pid(), gate.pid(), dialler.pid())?;
    Ok(processes)
}

/// What the workload will execute. Where not everybody may read it, who has the range of ids can.
fn program(held: &Held, ahead: Option<&Ahead>, subordinate: Option<&Subordinate>) -> Result<Digest, MeasureError> {
    let (pid, path) = (held.pid(), Path::new(held.executable()));
    match (file_digest(pid, path, ahead), subordinate) {
        (Err(error), Some(subordinate)) if error.source.kind() == io::ErrorKind::PermissionDenied => {
            subordinate.digest(pid, path).map_err(|source| MeasureError { source, ..error })
        }
        (digest, _) => digest,
    }
}

fn found(
    airlock: &Airlock,
    held: &Held,
    OnHold { workload, executable }: OnHold,
    InitAndDialler { init, dialler }: InitAndDialler,
    members: JoinHandle<io::Result<[Vec<u32>; 2]>>,
) -> Result<Processes, AttestError> {
    let gate = look("gate", airlock.gate.process.pid())?;
    let keeper = airlock.keeper.as_ref().map(|keeper| look("keeper", keeper.process().pid())).transpose()?;
    let members = members.join();
    let broken = |_| AttestError::Process { who: "bottle", what: "could not be measured".into() };
    let [in_agent, in_gate] = members.map_err(broken)?.map_err(unlisted)?;
    let limits = limits(airlock, held)?;
    Ok(Processes { workload, init, gate, dialler, keeper, executable, in_agent, in_gate, limits })
}

/// Bounds what is still unbounded, and demands that each limit holds for the held workload.
fn limits(airlock: &Airlock, held: &Held) -> Result<BTreeMap<String, String>, AttestError> {
    let mut found = match &airlock.group {
        Some(group) => group.complete(held.pid())?,
        None => BTreeMap::new(),
    };
    let ulimits = &airlock.plan.ulimits;
    if !ulimits.is_empty() {
        let path = PathBuf::from(format!("/proc/{}/limits", held.pid()));
        let text = read(&path).map_err(|source| AttestError::Measure { who: "workload", source })?;
        for ulimit in ulimits {
            let differs =
                || AttestError::Process { who: "workload", what: format!("does not have the limit {ulimit}") };
            found.insert(ulimit.name().to_owned(), ulimit.found_in(&text).ok_or_else(differs)?);
        }
    }
    Ok(found)
}

/// Finds who lives in the agent's and in the gate's namespace, in a thread: it takes about as long as all the rest.
pub(super) fn members(airlock: &Airlock, held: &Held) -> Result<JoinHandle<io::Result<[Vec<u32>; 2]>>, AttestError> {
    let namespaces = [airlock.state.agent.identity.inode, airlock.state.gate.identity.inode];
    let (init, held) = (airlock.init.process.pid(), held.pid());
    let builder = airlock.builder.as_ref().map(|builder| builder.process.pid());
    let leaving = Leaving { parent: init, builder };
    thread::begin(move || settled_processes_in(namespaces, leaving, &[init, held])).map_err(in_step(THREAD))
}

pub(crate) fn look(who: &'static str, pid: u32) -> Result<ProcessFacts, AttestError> {
    measure(pid).map_err(|source| AttestError::Measure { who, source })
}

pub(crate) fn unlisted(source: io::Error) -> AttestError {
    AttestError::Step { step: "look for processes in the namespaces", source }
}

/// The lines that uid_map and gid_map must have.
pub(crate) type Maps = (Vec<Line>, Vec<Line>);

fn workload(facts: &ProcessFacts, own: &ProcessFacts, agent: &str, maps: Maps) -> Result<(), AttestError> {
    let subject = Subject { who: "workload", facts };
    subject.confined(own)?;
    subject.mapped(&maps)?;
    subject.bounded()?;
    subject.demand(facts.gids.split(' ').all(|gid| gid != "0"), "has the host's gid 0")?;
    subject.demand(facts.namespaces.get("net").is_some_and(|net| net == agent), "is not in the agent namespace")?;
    subject.lives_apart(own, &["user", "pid", "mnt", "ipc", "uts", "cgroup"])?;
    subject.holds_only(|_, kind| matches!(kind, "pipe" | "/dev/null") || kind.starts_with("/dev/pts/"))
}

pub(crate) fn init_process(facts: &ProcessFacts, own: &ProcessFacts, maps: Option<Maps>) -> Result<(), AttestError> {
    let subject = Subject { who: "init", facts };
    subject.confined(own)?;
    match &maps {
        Some(maps) => subject.mapped(maps)?,
        None => subject.demand(facts.namespaces.get("user") == own.namespaces.get("user"), "is in a user namespace")?,
    }
    subject.bounded()?;
    subject.lives_apart(own, &["pid", "mnt", "ipc", "uts", "cgroup"])
}

pub(crate) fn gate_process(facts: &ProcessFacts, own: &ProcessFacts) -> Result<(), AttestError> {
    let subject = Subject { who: "gate", facts };
    subject.confined(own)?;
    subject.bounded()?;
    subject.lives_apart(own, &["net", "pid", "mnt", "ipc", "uts", "cgroup"])?;
    subject.demand(facts.mounts.len() == 1, "sees more than one mount")?;
    subject.holds_only(is_for_serving)
}

pub(crate) fn dialler_process(facts: &ProcessFacts, own: &ProcessFacts) -> Result<(), AttestError> {
    let subject = Subject { who: "dialler", facts };
    subject.confined(own)?;
    // An ordinary user's has never had a capability, and so none to empty the bounding set with.
    if own.is_root() {
        subject.bounded()?;
    }
    subject
        .demand(facts.namespaces.get("net") == own.namespaces.get("net"), "is not in the host's network namespace")?;
    subject.holds_only(is_for_serving)
}

/// What a helper is handed or makes for itself. Debug builds keep the caller's standard error, for a panic's message.
pub(super) fn is_for_serving(number: u32, kind: &str) -> bool {
    matches!(kind, "socket" | "pipe" | "anon_inode" | "/dev/null") || (cfg!(debug_assertions) && number == 2)
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

/// The held workload sees the files that were planned, and no others.
fn only_planned_mounts(airlock: &Airlock, held: &Held) -> Result<(), AttestError> {
    let deviation = mounts::deviation(held.pid(), &airlock.plan.files);
    match deviation.map_err(|source| AttestError::Measure { who: "workload", source })? {
        Some(what) => Err(AttestError::Process { who: "workload", what }),
        None => Ok(()),
    }
}

/// Each role still executes bottle, and init from where nobody can write it.
pub(crate) fn the_same_program(program: &Program, init: u32, gate: u32, dialler: u32) -> Result<(), AttestError> {
    let step = |source| AttestError::Step { step: "identify bottle's own program", source };
    let identity = program.identity().map_err(step)?;
    for (who, pid) in [("init", init), ("gate", gate), ("dialler", dialler)] {
        let executable = std::fs::metadata(format!("/proc/{pid}/exe"));
        if !executable.is_ok_and(|file| (file.dev(), file.ino()) == identity) {
            return Err(AttestError::Process { who, what: "executes something else than bottle".into() });
        }
    }
    let mount = rustix::fs::statvfs(format!("/proc/{init}/exe"));
    if !mount.is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::RDONLY)) {
        return Err(AttestError::Process { who: "init", what: "executes a file that could be written".into() });
    }
    Ok(())
}

impl Subject<'_> {
    fn wrong(&self, what: impl Into<String>) -> AttestError {
        AttestError::Process { who: self.who, what: what.into() }
    }

    pub(super) fn demand(&self, holds: bool, otherwise: &str) -> Result<(), AttestError> {
        if holds { Ok(()) } else { Err(self.wrong(otherwise)) }
    }

    /// Not the host's root and in none of root's groups, no capability, no_new_privs, both seccomp filters on top of
    /// those that the supervisor has.
    pub(super) fn confined(&self, own: &ProcessFacts) -> Result<(), AttestError> {
        self.demand(!self.facts.is_root(), "has the host's uid 0")?;
        self.demand(!own.is_root() || self.facts.groups.is_empty(), "kept root's groups")?;
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            self.demand(self.is_empty(set), "has capabilities")?;
        }
        self.filtered(own)
    }

    /// Nothing to gain, and both seccomp filters.
    pub(super) fn filtered(&self, own: &ProcessFacts) -> Result<(), AttestError> {
        self.demand(self.facts.no_new_privs, "could gain privileges")?;
        let filtered = self.facts.seccomp_filters >= own.seccomp_filters.saturating_add(2);
        self.demand(self.facts.seccomp == 2 && filtered, "lacks a seccomp filter")
    }

    /// Its user namespace has the ids that were planned, no others and none elsewhere.
    fn mapped(&self, (uids, gids): &Maps) -> Result<(), AttestError> {
        for (found, planned) in [(&self.facts.uid_map, uids), (&self.facts.gid_map, gids)] {
            if *found != spelled(planned) {
                return Err(self.wrong(format!("has ids that were not planned: {}", found.join(", "))));
            }
        }
        Ok(())
    }

    /// No capability that it could ever gain.
    pub(super) fn bounded(&self) -> Result<(), AttestError> {
        self.demand(self.is_empty("CapBnd"), "could gain capabilities")
    }

    pub(super) fn is_empty(&self, set: &str) -> bool {
        self.facts.capabilities.get(set).is_some_and(|mask| mask.bytes().all(|digit| digit == b'0'))
    }

    pub(super) fn holds_only(&self, harmless: impl Fn(u32, &str) -> bool) -> Result<(), AttestError> {
        match self.facts.descriptors.iter().find(|(number, kind)| !harmless(**number, kind)) {
            Some((number, kind)) => Err(self.wrong(format!("holds descriptor {number}: {kind}"))),
            None => Ok(()),
        }
    }

    pub(super) fn lives_apart(&self, own: &ProcessFacts, namespaces: &[&str]) -> Result<(), AttestError> {
        for name in namespaces {
            let (theirs, ours) = (self.facts.namespaces.get(*name), own.namespaces.get(*name));
            if theirs.is_none() || theirs == ours {
                return Err(self.wrong(format!("shares the host's {name} namespace")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "requirements_tests.rs"]
mod tests;
