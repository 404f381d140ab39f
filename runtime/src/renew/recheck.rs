//! Does what was attested still hold, while the workload runs? The same is measured again and compared with what was found at the start.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use bottle_evidence::Digest;
use bottle_evidence::audit::Workload;
use bottle_images::mountinfo::{self, MountPoint};
use bottle_netns::Layout;
use bottle_netns::conform::conforms;
use bottle_netns::survey::Survey;

use super::created::Created;
use super::kept::Kept;
use super::powers::Powers;
use super::strangers::{self, Inside, Rule, Stranger};
use crate::adopt::members::{Followed, Members};
use crate::airlock::Airlock;
use crate::attest::process::{ProcessFacts, measure_at};
use crate::attest::requirements::{self, Maps, look};
use crate::attest::{AttestError, adopted};
use crate::digest;
use crate::exec::First;
use crate::process::Alive;
use crate::report::chain;
use crate::roles::Program;
use crate::supervisor::watch::Drift;

/// A larger program is not hashed while everything waits for it: a workload can make one of any size.
const LARGEST: u64 = 1 << 30;

/// Why a running bottle is not attested again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsound {
    /// Something is not as it was attested.
    #[error("{}: {}", .0.what, .0.detail)]
    Drift(Drift),
    /// It can't be told.
    #[error("the bottle can't be measured now: {0}")]
    Unknown(String),
    /// The first process has ended.
    #[error("the bottle is ending")]
    Ending,
}

impl From<AttestError> for Unsound {
    /// Whoever can't be measured may just be gone, which is noticed elsewhere.
    fn from(error: AttestError) -> Unsound {
        let words = chain(&error).join(": ");
        match error {
            AttestError::Process { .. } | AttestError::Deviates(_) => Unsound::Drift(remeasured(words)),
            _ => Unsound::Unknown(words),
        }
    }
}

/// A drift that was not announced and not polled for.
pub(super) fn remeasured(detail: impl Into<String>) -> Drift {
    Drift::new("remeasured", detail)
}

/// What a bottle was found to be, and what it takes to look again.
pub(crate) struct Recheck {
    start: Arc<Survey>,
    first: Arc<First>,
    pub(super) workload: Workload,
    init: u32,
    gate: u32,
    dialler: u32,
    keeper: Option<Kept>,
    members: Arc<Members>,
    around: Option<Maps>,
    program: Arc<Program>,
    pub(super) sees_all: bool,
    /// Held by who enters, until it is confined.
    entering: Arc<RwLock<()>>,
    /// What nobody may have in a container, whose processes its engine confines.
    pub(super) powers: Option<Powers>,
    /// Of a container, until its engine lets it go on.
    created: Option<Created>,
}

/// What was found of the processes.
pub(super) struct Found {
    pub(super) workload: ProcessFacts,
    pub(super) init: ProcessFacts,
    pub(super) gate: ProcessFacts,
    pub(super) dialler: ProcessFacts,
    /// Of a container.
    pub(super) keeper: Option<ProcessFacts>,
    /// Of the containers that joined it.
    pub(super) followed: Vec<Followed>,
    pub(super) inside: Inside,
    pub(super) executable: Executable,
    /// Whether an engine has created it and not let it go on.
    pub(super) is_created: bool,
}

/// What the first process executes by now.
pub(super) struct Executable {
    pub(super) path: String,
    /// Nothing where it is too large, or not for the caller to read.
    pub(super) sha256: Option<Digest>,
}

impl Recheck {
    pub(crate) fn new(
        airlock: &Airlock,
        first: First,
        keeper: Option<Kept>,
        workload: Workload,
    ) -> io::Result<Recheck> {
        Ok(Recheck {
            created: airlock.plan.adopted.as_ref().map(|_| Created::of(workload.pid)).transpose()?,
            powers: airlock.plan.adopted.as_ref().map(Powers::refused_to).transpose()?,
            start: Arc::clone(&airlock.state),
            first: Arc::new(first),
            workload,
            init: airlock.init.process.pid(),
            gate: airlock.gate.process.pid(),
            dialler: airlock.dialler.process.pid(),
            keeper,
            members: Arc::clone(&airlock.init.members),
            around: airlock.plan.workload_ids().around(),
            program: Arc::clone(&airlock.program),
            sees_all: airlock.plan.sees_all(),
            entering: Arc::default(),
        })
    }

    /// Which process the first one is.
    pub(crate) fn workload(&self) -> Workload {
        self.workload
    }

    /// What was found of the first process.
    pub(crate) fn first(&self) -> &Arc<First> {
        &self.first
    }

    /// Held by who is in the bottle for bottle's own ends.
    pub(crate) fn entering(&self) -> &Arc<RwLock<()>> {
        &self.entering
    }

    /// Demands that the namespaces are those that were attested, and hold what they must.
    pub(crate) fn namespaces(&self, survey: &Survey) -> Result<(), Unsound> {
        conforms(survey, &Layout::default()).map_err(AttestError::Deviates)?;
        match survey.exchanged(&self.start) {
            Some(side) => Err(Unsound::Drift(remeasured(format!(
                "the {side} namespace, its sockets or rules are not those of the start"
            )))),
            None => Ok(()),
        }
    }

    /// The generations of the packet rules at the start.
    pub(crate) fn generations(&self) -> [u32; 2] {
        self.start.generations()
    }

    /// Measures all processes, and demands of each what its part in the design demands.
    pub(super) fn processes(&self) -> Result<Found, Unsound> {
        let nobody_enters = self.entering.write().unwrap_or_else(PoisonError::into_inner);
        let own = requirements::own()?;
        let [init, gate, dialler] =
            [("init", self.init), ("gate", self.gate), ("dialler", self.dialler)].map(|(who, pid)| look(who, pid));
        let (init, gate, dialler) = (init?, gate?, dialler?);
        let first = &self.first.facts;
        match self.powers {
            None => requirements::init_process(&init, &own, self.around.clone())?,
            Some(_) => adopted::warden(&init, &own, first)?,
        }
        let keeper = self.keeper.as_ref().map(Kept::again).transpose()?;
        let followed = self.members.again()?;
        requirements::gate_process(&gate, &own)?;
        requirements::dialler_process(&dialler, &own)?;
        requirements::the_same_program(&self.program, self.init, self.gate, self.dialler)?;
        let namespaces = [self.start.agent.identity.inode, self.start.gate.identity.inode];
        // Until its engine has it go on, the first process of a container is the engine's runtime.
        let is_created = self.created.as_ref().is_some_and(Created::holds);
        let mut elsewhere = vec![self.init];
        elsewhere.extend(is_created.then_some(self.workload.pid));
        elsewhere.extend(followed.iter().filter(|member| member.is_created).map(|member| member.container.pid));
        let rule = self.powers.as_ref().map_or(Rule::AsFirst(first), Rule::Without);
        let inside = strangers::look(namespaces, &elsewhere, rule).map_err(|error| match error {
            Stranger::Found(what) => Unsound::Drift(remeasured(what)),
            Stranger::Unknown(error) => {
                Unsound::Unknown(format!("cannot look for processes in the namespaces: {error}"))
            }
        })?;
        drop(nobody_enters);
        let (workload, executable) = self.first_process()?;
        Ok(Found { workload, init, gate, dialler, keeper, followed, inside, executable, is_created })
    }

    /// The same without what only a statement needs.
    pub(super) fn holds(&self) -> Result<(), Unsound> {
        self.processes().map(drop)
    }

    /// What the first process is by now. That it is confined was found with all the others.
    fn first_process(&self) -> Result<(ProcessFacts, Executable), Unsound> {
        let alive = || {
            let alive = Alive::of(self.workload.pid).map_err(|error| Unsound::Unknown(error.to_string()))?;
            alive.filter(|alive| alive.start == self.workload.start).ok_or(Unsound::Ending)
        };
        let measured = self.measured_first(&alive()?.base);
        // Whatever was read is about this process only if it is still there.
        alive().and(measured)
    }

    /// `base` is its directory in /proc.
    fn measured_first(&self, base: &Path) -> Result<(ProcessFacts, Executable), Unsound> {
        let unknown = |what: String| Unsound::Unknown(what);
        let facts = measure_at(self.workload.pid, base).map_err(|error| unknown(chain(&error).join(": ")))?;
        let mounts = mountinfo::read_at(&base.join("mountinfo"));
        let mounts = mounts.map_err(|error| unknown(format!("cannot read what the workload has mounted: {error}")))?;
        let agent = format!("net:[{}]", self.start.agent.identity.inode);
        let wrong = match self.powers {
            // Its engine goes on to mount after its hooks.
            Some(_) if facts.namespaces.get("net") == Some(&agent) => None,
            Some(_) => Some("is not in the agent namespace".to_owned()),
            None => more_mounted(&self.first.mounts, &mounts),
        };
        if let Some(what) = wrong {
            return Err(Unsound::Drift(remeasured(format!("the workload {what}"))));
        }
        Ok((
            facts,
            executed(base).map_err(|error| unknown(format!("cannot read what the workload executes: {error}")))?,
        ))
    }
}

/// A mount that was not there at the start, or is wider than it was. Others may have gone: where the host removes a file that was
/// covered, its cover goes with it.
fn more_mounted(before: &[MountPoint], now: &[MountPoint]) -> Option<String> {
    now.iter().find_map(|mount| match before.iter().find(|it| it.id == mount.id) {
        None => {
            Some(format!("sees a mount that was not there at its start: {} at {}", mount.kind, mount.target.display()))
        }
        Some(was) => {
            let lost =
                ["ro", "nosuid", "nodev", "noexec"].into_iter().find(|option| was.has(option) && !mount.has(option))?;
            Some(format!("sees a mount that is no longer {lost}: {}", mount.target.display()))
        }
    })
}

/// The file that a process executes, read where it is, whatever its path leads to by now.
fn executed(base: &Path) -> io::Result<Executable> {
    let link = base.join("exe");
    let path = std::fs::read_link(&link)?.display().to_string();
    let sha256 = match File::open(&link) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => None,
        Err(error) => return Err(error),
        Ok(file) if file.metadata()?.len() > LARGEST => None,
        Ok(file) => Some(digest::of_file(&file)?),
    };
    Ok(Executable { path, sha256 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(id: u64, options: &str) -> MountPoint {
        let (device, kind) = ("8:1".into(), "ext4".into());
        MountPoint { id, device, root: "/".into(), target: format!("/{id}").into(), options: options.into(), kind }
    }

    #[test]
    fn a_new_mount_and_a_wider_one_are_found_and_one_that_went_or_was_renamed_is_not() {
        let before = [mount(1, "rw,nosuid"), mount(2, "ro,nosuid")];
        assert_eq!(more_mounted(&before, &before), None);
        assert_eq!(more_mounted(&before, &before[..1]), None);
        assert_eq!(more_mounted(&before, &[MountPoint { target: "/x".into(), ..mount(2, "ro,nosuid") }]), None);
        assert!(more_mounted(&before, &[mount(3, "ro,nosuid")]).unwrap().contains("was not there"));
        assert!(more_mounted(&before, &[mount(2, "rw,nosuid")]).unwrap().contains("no longer ro"));
        assert!(more_mounted(&before, &[mount(1, "rw")]).unwrap().contains("no longer nosuid"));
    }

    #[test]
    fn what_a_process_executes_is_hashed_where_it_lies() {
        let executable = executed(Path::new("/proc/self")).unwrap();
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(executable.sha256, Some(bottle_evidence::sha256(&bytes)));
        assert_eq!(Path::new(&executable.path), std::env::current_exe().unwrap());
    }
}
