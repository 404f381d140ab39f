//! What holds a run's limits? Its groups, and a record of them that outlives a crash.

use std::collections::BTreeMap;
use std::path::Path;

use super::asked::Limits;
use super::parts::{LimitError, Parts, planned};
use super::place::Seen;
use super::remains::Record;
use super::tree::Kernel;

/// The groups of one run. Dropped when nothing is in them any more, they are removed.
#[derive(Debug)]
pub(crate) struct Group {
    limits: Limits,
    parts: Parts<Kernel>,
    /// Dropped last.
    _record: Record,
}

/// How the groups of a run are called.
pub(super) fn name(run: &str) -> String {
    format!("bottle-{run}")
}

impl Group {
    /// Makes what these limits take; nothing where there are none. `state` is where runs are known that live.
    pub(crate) fn make(limits: Limits, run: &str, state: &Path) -> Result<Option<Group>, LimitError> {
        if limits.controllers().next().is_none() {
            return Ok(None);
        }
        let seen = Seen::now().map_err(LimitError::Unknown)?;
        let planned = planned(&limits, &seen, &name(run))?;
        let record = Record::write(state, run, planned.iter().map(|part| part.path.as_path()))?;
        Ok(Some(Group { limits, parts: Parts::make(Kernel, limits, planned)?, _record: record }))
    }

    /// Puts a process into it that has one thread and no children yet: init, or one that is to enter the bottle.
    pub(crate) fn take_in(&self, pid: u32) -> Result<(), LimitError> {
        self.parts.take_in(pid)
    }

    /// Bounds processor time and the number of processes, now that those who probed have ended, and demands that all holds for
    /// the process with this id. Returns what the kernel says of each limit.
    pub(crate) fn complete(&self, held: u32) -> Result<BTreeMap<String, String>, LimitError> {
        self.parts.bound_the_rest()?;
        self.demand_member(held)?;
        self.parts.read_back()
    }

    /// Demands that the process with this id is in it.
    pub(crate) fn demand_member(&self, pid: u32) -> Result<(), LimitError> {
        let groups = Path::new("/proc").join(pid.to_string()).join("cgroup");
        let said = std::fs::read_to_string(&groups);
        self.parts.demand_member(&said.map_err(|source| LimitError::Unread { file: groups, source })?)
    }

    /// Whether the kernel killed something in it since there was no memory left.
    pub(crate) fn was_starved(&self) -> bool {
        self.parts.kills() > 0
    }

    /// What the workload ran short of, a sentence each.
    pub(crate) fn shortages(&self) -> Vec<String> {
        let memory = self.limits.memory.map(|most| out_of_memory(self.parts.kills(), &most.to_string()));
        let processes = self.limits.processes.map(|most| out_of_processes(self.parts.refusals(), &most.to_string()));
        [memory, processes].into_iter().flatten().flatten().collect()
    }
}

fn out_of_memory(kills: u64, most: &str) -> Option<String> {
    let processes = if kills == 1 { "a process".to_owned() } else { format!("{kills} processes") };
    (kills > 0)
        .then(|| format!("out of memory: the kernel killed {processes} at the limit of {most} that --memory gives"))
}

fn out_of_processes(refusals: u64, most: &str) -> Option<String> {
    let times = if refusals == 1 { "once".to_owned() } else { format!("{refusals} times") };
    let limit = format!("at the limit of {most} that --pids-limit gives");
    (refusals > 0).then(|| format!("out of processes: the kernel refused to make another one {times} {limit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_short_is_said_and_what_was_not_is_not() {
        assert_eq!(out_of_memory(0, "64 MiB"), None);
        let one = "out of memory: the kernel killed a process at the limit of 64 MiB that --memory gives";
        assert_eq!(out_of_memory(1, "64 MiB").as_deref(), Some(one));
        assert!(out_of_memory(2, "64 MiB").unwrap().contains("killed 2 processes"));
        assert!(out_of_processes(3, "9").unwrap().contains("another one 3 times at the limit of 9"));
        assert_eq!(out_of_processes(0, "9"), None);
    }

    #[test]
    fn without_limits_nothing_is_made_and_nothing_looked_at() {
        assert!(Group::make(Limits::default(), "run", Path::new("/nowhere")).unwrap().is_none());
    }
}
