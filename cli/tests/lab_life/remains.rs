//! Is anything left of a bottle? Its processes, namespaces, mounts and sockets, looked for in every process that is left.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use crate::host;
use crate::running::{Held, Processes};
use crate::world::{LIMIT, World};

/// What a bottle and the host looked like while it ran.
pub struct Footprint {
    processes: Processes,
    namespaces: BTreeSet<String>,
}

impl Footprint {
    /// Of a bottle whose processes are all alive. Its namespaces are those that the lab's host does not live in: by
    /// process, and by descriptor, since nobody lives in the gate's.
    pub fn of(world: &World, processes: Processes) -> Footprint {
        let hosts = host::links(&format!("/proc/{}/ns", world.lab.pid()));
        let mut namespaces = BTreeSet::new();
        for process in processes.all() {
            namespaces.extend(host::links(&format!("/proc/{}/ns", process.pid)));
            namespaces.extend(
                host::links(&format!("/proc/{}/fd", process.pid)).into_iter().filter(|link| is_namespace(link)),
            );
        }
        let namespaces: BTreeSet<String> = namespaces.difference(&hosts).cloned().collect();
        // Two network namespaces of the bottle's and the gate process's empty one.
        let networks = namespaces.iter().filter(|name| name.starts_with("net:")).count();
        assert!(networks >= 3, "{namespaces:?}");
        Footprint { processes, namespaces }
    }

    pub fn processes(&self) -> &Processes {
        &self.processes
    }

    /// Waits until every process has ended, then looks for whoever still holds something.
    pub fn assert_gone(&self) {
        for process in self.processes.all() {
            assert!(process.ends_within(LIMIT), "{} still runs", process.pid);
        }
        assert_unheld(&self.namespaces);
    }
}

/// Asserts that no process lives in one of these namespaces, has a descriptor of it, or sees it mounted. One that is
/// just ending, or was born while others were listed, is given the time to end.
pub fn assert_unheld(namespaces: &BTreeSet<String>) {
    for pid in host::processes() {
        let holds = || {
            let lives = host::links(&format!("/proc/{pid}/ns"));
            let opened = host::links(&format!("/proc/{pid}/fd"));
            let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
            namespaces
                .iter()
                .any(|name| lives.contains(name) || opened.contains(name) || mounts.contains(name.as_str()))
        };
        if holds() {
            let ends = Held::find(pid).is_none_or(|process| process.ends_within(LIMIT));
            assert!(ends, "{pid} {} holds one of {namespaces:?}", host::first_argument(pid));
        }
    }
}

fn is_namespace(link: &str) -> bool {
    ["net:[", "user:[", "mnt:[", "pid:["].iter().any(|kind| link.starts_with(kind))
}

/// What of the lab's host a bottle could leave something in.
#[derive(Debug, PartialEq, Eq)]
pub struct Host {
    mounts: String,
    links: String,
    unix_sockets: usize,
    rules: String,
}

impl Host {
    pub fn of(world: &World) -> Host {
        let read = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", world.lab.pid())).unwrap();
        let rules = world.privileged("nft").args(["list", "ruleset"]).output().unwrap();
        assert!(rules.status.success(), "{rules:?}");
        Host {
            mounts: read("mountinfo"),
            links: read("net/dev").lines().filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect(),
            unix_sockets: read("net/unix").lines().filter(|line| line.split_whitespace().count() > 7).count(),
            rules: String::from_utf8(rules.stdout).unwrap(),
        }
    }
}

/// Every socket below a directory.
pub fn sockets_below(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(sockets_below(&entry.path()));
        } else if kind.is_socket() || kind.is_fifo() {
            found.push(entry.path().display().to_string());
        }
    }
    found
}
