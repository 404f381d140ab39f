//! A model of a version 2 hierarchy, for a machine whose kernel has no controllers there (cgroups(7), cgroup-v2.rst).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::tree::Tree;

/// Groups with their files. Clones are the same hierarchy.
#[derive(Clone, Debug)]
pub(super) struct Unified {
    top: PathBuf,
    groups: Rc<RefCell<BTreeMap<PathBuf, BTreeMap<String, String>>>>,
}

impl Unified {
    /// A hierarchy whose top has these controllers and hands none down.
    pub(super) fn new(top: &str, controllers: &str) -> Unified {
        let unified = Unified { top: top.into(), groups: Rc::default() };
        unified.groups.borrow_mut().insert(top.into(), files(controllers));
        unified
    }

    /// Makes a group of somebody else's that hands these controllers down.
    pub(super) fn with(self, group: &str, handed_down: &str) -> Unified {
        self.make(Path::new(group)).unwrap();
        for controller in handed_down.split_whitespace() {
            self.write(&Path::new(group).join("cgroup.subtree_control"), &format!("+{controller}")).unwrap();
        }
        self
    }

    /// What the kernel itself would write.
    pub(super) fn set(&self, file: &str, text: &str) {
        let (group, name) = split(Path::new(file)).unwrap();
        self.groups.borrow_mut().get_mut(&group).unwrap().insert(name, text.to_owned());
    }

    /// All groups.
    pub(super) fn groups(&self) -> Vec<PathBuf> {
        self.groups.borrow().keys().cloned().collect()
    }

    fn has_processes(&self, group: &Path) -> bool {
        self.groups.borrow().get(group).is_some_and(|files| !files["cgroup.procs"].is_empty())
    }
}

/// The files of a group to which these controllers are handed down.
fn files(controllers: &str) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> =
        [("cgroup.controllers", controllers), ("cgroup.subtree_control", ""), ("cgroup.procs", "")]
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into();
    for controller in controllers.split_whitespace() {
        let own: &[(&str, &str)] = match controller {
            "memory" => &[("memory.max", "max"), ("memory.swap.max", "max"), ("memory.events", "oom_kill 0\n")],
            "cpu" => &[("cpu.max", "max 100000")],
            "pids" => &[("pids.max", "max"), ("pids.events", "max 0\n")],
            _ => &[],
        };
        files.extend(own.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
    }
    files
}

fn split(file: &Path) -> io::Result<(PathBuf, String)> {
    let (parent, name) = (file.parent(), file.file_name().and_then(|name| name.to_str()));
    parent.zip(name).map(|(parent, name)| (parent.to_owned(), name.to_owned())).ok_or(io::ErrorKind::NotFound.into())
}

fn errno(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

impl Tree for Unified {
    fn make(&self, group: &Path) -> io::Result<()> {
        let parent = group.parent().filter(|_| *group != self.top).ok_or(errno(libc::EEXIST))?;
        let handed_down = self.read(&parent.join("cgroup.subtree_control"))?;
        match self.groups.borrow_mut().insert(group.to_owned(), files(&handed_down)) {
            None => Ok(()),
            Some(_) => Err(errno(libc::EEXIST)),
        }
    }

    fn remove(&self, group: &Path) -> io::Result<()> {
        if self.has_processes(group) {
            return Err(errno(libc::EBUSY));
        }
        self.groups.borrow_mut().remove(group).map(drop).ok_or(errno(libc::ENOENT))
    }

    fn read(&self, file: &Path) -> io::Result<String> {
        let (group, name) = split(file)?;
        self.groups.borrow().get(&group).and_then(|files| files.get(&name).cloned()).ok_or(errno(libc::ENOENT))
    }

    fn write(&self, file: &Path, text: &str) -> io::Result<()> {
        let before = self.read(file)?;
        let (group, name) = split(file)?;
        let after = match name.as_str() {
            "cgroup.subtree_control" => {
                let wanted = text.trim_start_matches('+');
                if !self.read(&group.join("cgroup.controllers"))?.split_whitespace().any(|has| has == wanted) {
                    return Err(errno(libc::ENOENT));
                }
                // No processes in a group that hands something down, but in the machine's own.
                if self.has_processes(&group) && group != self.top {
                    return Err(errno(libc::EBUSY));
                }
                format!("{before} {wanted}")
            }
            "cgroup.procs" => format!("{before}{text}\n"),
            _ => format!("{text}\n"),
        };
        self.groups.borrow_mut().get_mut(&group).map(|files| files.insert(name, after)).ok_or(errno(libc::ENOENT))?;
        Ok(())
    }
}
