//! Where is one of a bottle's two network namespaces, for a test that changes it from outside?

use std::fs;
use std::path::Path;

use crate::running::Running;

/// The network namespaces that a process has descriptors of: a supervisor's are the agent's, then the gate's.
#[allow(dead_code, reason = "used where a start is held before there is a workload")]
pub fn held_by(process: u32) -> Vec<String> {
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    let mut found: Vec<_> = descriptors
        .map(|entry| entry.path())
        .filter(|path| fs::read_link(path).is_ok_and(|to| to.to_string_lossy().starts_with("net:[")))
        .collect();
    found.sort_by_key(|path| path.file_name().unwrap().to_str().unwrap().parse::<u32>().unwrap());
    found.into_iter().map(|path| path.display().to_string()).collect()
}

/// Which of them.
#[derive(Clone, Copy, Debug)]
pub enum Side {
    Agent,
    Gate,
}

impl Side {
    /// As a revocation says it.
    #[allow(dead_code, reason = "for the tests of drift; those of faults share this file")]
    pub fn name(self) -> &'static str {
        match self {
            Side::Agent => "agent namespace",
            Side::Gate => "gate namespace",
        }
    }

    /// The place of a namespace that the supervisor holds.
    pub fn place(self, running: &Running) -> String {
        let of_workload = fs::read_link(format!("/proc/{}/ns/net", running.processes().workload.pid)).unwrap();
        let wanted = |link: &Path| match self {
            Side::Agent => link == of_workload,
            Side::Gate => link.to_string_lossy().starts_with("net:[") && link != of_workload,
        };
        let descriptors = fs::read_dir(format!("/proc/{}/fd", running.pid())).unwrap().flatten();
        let mut places = descriptors.map(|entry| entry.path());
        let found = places.find(|path| fs::read_link(path).is_ok_and(|link| wanted(&link)));
        found.unwrap().display().to_string()
    }
}
