//! How is a group made in each hierarchy that the limits take, bounded, entered, read and removed?

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::Controller;
use super::asked::Limits;
use super::place::{Place, Seen, Version};
use super::settings::{self, Setting};
use super::tree::Tree;

/// Why a limit can't be set, or does not hold.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    /// The kernel does not say in which groups bottle is.
    #[error("cannot tell which control groups bottle itself is in")]
    Unknown(#[source] io::Error),
    /// There is no hierarchy for it, or it is not handed down to where bottle is.
    #[error("cannot limit {what}: no control group for it can be had here")]
    Nowhere {
        /// What was to be limited.
        what: Controller,
    },
    /// No group can be made there.
    #[error("cannot limit {what}: no control group can be made in {}", parent.display())]
    Closed {
        /// What was to be limited.
        what: Controller,
        /// Where the group was to lie.
        parent: PathBuf,
        /// Whether that is a hierarchy of version 2.
        unified: bool,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel does not take the amount.
    #[error("cannot limit {what}: {} does not take {value}", file.display())]
    Refused {
        /// What was to be limited.
        what: Controller,
        /// The group's file.
        file: PathBuf,
        /// What was to be written.
        value: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The workload can't be put into it.
    #[error("cannot put the workload into the control group {}", group.display())]
    Entry {
        /// The group.
        group: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A group's file can't be read.
    #[error("cannot read {}", file.display())]
    Unread {
        /// The file.
        file: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A group's file says something else.
    #[error("{} says {found:?} instead of {wanted:?}", file.display())]
    Differs {
        /// The file.
        file: PathBuf,
        /// What it says.
        found: String,
        /// What was written to it.
        wanted: String,
    },
    /// The held workload is not in its group.
    #[error("the workload is not in its control group {}", .0.display())]
    Outside(PathBuf),
    /// Nobody would find the groups again.
    #[error(transparent)]
    Remains(#[from] super::RemainsError),
}

impl LimitError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            LimitError::Nowhere { what } => Some(format!(
                "a kernel booted with cgroup_enable={}, or a group to which it is handed down; or leave {} out",
                what.name(),
                what.option()
            )),
            LimitError::Closed { source, what, .. } if source.raw_os_error() == Some(libc::EROFS) => Some(format!(
                "control groups are read-only here, as in most containers: limit that container itself, or leave {} out",
                what.option()
            )),
            LimitError::Closed { unified: true, .. } => Some(
                "start it in a group of its own: `systemd-run --user --scope -p Delegate=yes bottle run ...`, as root \
                 without --user"
                    .into(),
            ),
            LimitError::Closed { parent, .. } => {
                let own = format!("{}/$USER", parent.display());
                Some(format!(
                    "run bottle as root, or give your shell a group that is yours: \
                     `sudo sh -c \"mkdir -p {own} && chown -R $USER {own} && echo $$ > {own}/cgroup.procs\"`"
                ))
            }
            LimitError::Refused { what, .. } => {
                Some(format!("{} can't give more than the groups around bottle's own have", what.option()))
            }
            LimitError::Remains(error) => Some(error.hint().to_owned()),
            _ => None,
        }
    }
}

/// A group in one hierarchy, to be made or made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) path: PathBuf,
    parent: PathBuf,
    version: Version,
    controllers: Vec<Controller>,
}

/// Where groups of this name come to lie: one for each hierarchy, several controllers of which may be one.
pub(super) fn planned(limits: &Limits, seen: &Seen, name: &str) -> Result<Vec<Part>, LimitError> {
    let mut parts: Vec<Part> = Vec::new();
    for what in limits.controllers() {
        let Place { version, parent } = seen.place(what).ok_or(LimitError::Nowhere { what })?;
        let path = parent.join(name);
        match parts.iter_mut().find(|part| part.path == path) {
            Some(part) => part.controllers.push(what),
            None => parts.push(Part { path, parent, version, controllers: vec![what] }),
        }
    }
    Ok(parts)
}

/// Groups that exist until this is dropped. By then nothing may be in them.
#[derive(Debug)]
pub(super) struct Parts<T: Tree> {
    tree: T,
    limits: Limits,
    made: Vec<Part>,
}

impl<T: Tree> Parts<T> {
    /// Makes all and bounds memory in them. On an error none is left.
    pub(super) fn make(tree: T, limits: Limits, planned: Vec<Part>) -> Result<Parts<T>, LimitError> {
        let mut parts = Parts { tree, limits, made: Vec::new() };
        for part in planned {
            parts.make_one(part)?;
        }
        parts.bound(Controller::Memory)?;
        Ok(parts)
    }

    fn make_one(&mut self, part: Part) -> Result<(), LimitError> {
        let unified = part.version == Version::Two;
        if unified {
            part.controllers.iter().try_for_each(|what| self.hand_down(*what, &part.parent))?;
        }
        let (what, parent) = (part.controllers[0], part.parent.clone());
        self.tree.make(&part.path).map_err(|source| LimitError::Closed { what, parent, unified, source })?;
        self.made.push(part);
        Ok(())
    }

    /// Has a group of version 2 hand a controller down to those within it, where it does not yet.
    fn hand_down(&self, what: Controller, parent: &Path) -> Result<(), LimitError> {
        let lists = |file| {
            let file = parent.join(file);
            let text = self.tree.read(&file).map_err(|source| LimitError::Unread { file, source })?;
            Ok::<_, LimitError>(text.split_whitespace().any(|name| name == what.name()))
        };
        if !lists("cgroup.controllers")? {
            return Err(LimitError::Nowhere { what });
        }
        if lists("cgroup.subtree_control")? {
            return Ok(());
        }
        let written = self.tree.write(&parent.join("cgroup.subtree_control"), &format!("+{}", what.name()));
        written.map_err(|source| LimitError::Closed { what, parent: parent.to_owned(), unified: true, source })
    }

    fn write(&self, what: Controller, part: &Part, settings: &[Setting]) -> Result<(), LimitError> {
        for setting in settings {
            let file = part.path.join(setting.file);
            match self.tree.write(&file, &setting.value) {
                Err(error) if setting.spare && error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(LimitError::Refused { what, file, value: setting.value.clone(), source }),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    fn part(&self, controller: Controller) -> Option<&Part> {
        self.made.iter().find(|part| part.controllers.contains(&controller))
    }

    /// Puts a process of one thread into all of them. What it forks is born there.
    pub(super) fn take_in(&self, pid: u32) -> Result<(), LimitError> {
        self.made.iter().try_for_each(|part| {
            let entered = self.tree.write(&part.path.join("cgroup.procs"), &pid.to_string());
            entered.map_err(|source| LimitError::Entry { group: part.path.clone(), source })
        })
    }

    /// Bounds what is left: processor time and the number of processes.
    pub(super) fn bound_the_rest(&self) -> Result<(), LimitError> {
        self.bound(Controller::Cpu)?;
        self.bound(Controller::Pids)
    }

    fn bound(&self, what: Controller) -> Result<(), LimitError> {
        let Some(part) = self.part(what) else { return Ok(()) };
        self.write(what, part, &settings::of(what, &self.limits, part.version))
    }

    /// What each file that bounds something says, by its path; what the kernel lacks is left out.
    pub(super) fn read_back(&self) -> Result<BTreeMap<String, String>, LimitError> {
        let mut found = BTreeMap::new();
        for controller in Controller::ALL {
            let Some(part) = self.part(controller) else { continue };
            for setting in settings::of(controller, &self.limits, part.version) {
                let file = part.path.join(setting.file);
                let said = match self.tree.read(&file) {
                    Err(error) if setting.spare && error.kind() == io::ErrorKind::NotFound => continue,
                    read => read.map_err(|source| LimitError::Unread { file: file.clone(), source })?,
                };
                let said = said.trim().to_owned();
                if !setting.is(&said) {
                    return Err(LimitError::Differs { file, found: said, wanted: setting.value });
                }
                found.insert(file.display().to_string(), said);
            }
        }
        Ok(found)
    }

    /// Demands that a process with this /proc/PID/cgroup is in all of them.
    pub(super) fn demand_member(&self, groups: &str) -> Result<(), LimitError> {
        for part in &self.made {
            let is_named = |path: &str| Path::new(path).file_name() == part.path.file_name();
            let is_in = |controller: &Controller| {
                groups.lines().any(|line| {
                    let mut fields = line.splitn(3, ':').skip(1);
                    let (names, path) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
                    let of_this = match part.version {
                        Version::One => names.split(',').any(|name| name == controller.name()),
                        Version::Two => names.is_empty(),
                    };
                    of_this && is_named(path)
                })
            };
            if !part.controllers.iter().all(is_in) {
                return Err(LimitError::Outside(part.path.clone()));
            }
        }
        Ok(())
    }

    /// How many processes the kernel killed since there was no memory for them.
    pub(super) fn kills(&self) -> u64 {
        self.part(Controller::Memory).map_or(0, |part| self.count(part, settings::kills(part.version)))
    }

    /// How often the kernel refused to make a process.
    pub(super) fn refusals(&self) -> u64 {
        self.part(Controller::Pids).map_or(0, |part| self.count(part, settings::REFUSALS))
    }

    /// An older kernel that does not count has nothing to tell.
    fn count(&self, part: &Part, (file, word): (&str, &str)) -> u64 {
        let text = self.tree.read(&part.path.join(file)).unwrap_or_default();
        settings::number(&text, word).unwrap_or(0)
    }
}

impl<T: Tree> Drop for Parts<T> {
    fn drop(&mut self) {
        for part in &self.made {
            // What can't be removed now is, at the next start: it is on record.
            let _ = self.tree.remove(&part.path);
        }
    }
}

#[cfg(test)]
#[path = "parts_tests.rs"]
mod tests;
