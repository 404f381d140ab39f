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
pub struct Host {
    mounts: BTreeSet<String>,
    links: BTreeSet<String>,
    unix_sockets: Vec<String>,
    rules: String,
}

impl Host {
    pub fn of(world: &World) -> Host {
        let read = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", world.lab.pid())).unwrap();
        let rules = world.privileged("nft").args(["list", "ruleset"]).output().unwrap();
        assert!(rules.status.success(), "{rules:?}");
        Host {
            mounts: read("mountinfo").lines().map(str::to_owned).collect(),
            links: read("net/dev").lines().filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect(),
            unix_sockets: read("net/unix").lines().filter_map(|line| word(line, 7)).collect(),
            rules: String::from_utf8(rules.stdout).unwrap(),
        }
    }

    /// Asserts that it is what it was.
    pub fn assert_unchanged(&self, world: &World, what: &str) {
        assert_eq!(self.changes(world), [""; 0], "{what}: the host is another one");
    }

    /// In what it is no longer what it was.
    pub fn changes(&self, world: &World) -> Vec<String> {
        let now = Host::of(world);
        let root = format!("/proc/{}/root", world.lab.pid());
        // Who removes a directory anywhere, removes what is mounted there in every other namespace: that was no bottle.
        let is_there =
            |mount: &&String| Path::new(&(root.clone() + &word(mount, 4).unwrap())).symlink_metadata().is_ok();
        let unmounted = self.mounts.difference(&now.mounts).filter(is_there).map(|mount| format!("unmounted: {mount}"));
        let mounted = now.mounts.difference(&self.mounts).map(|mount| format!("mounted: {mount}"));
        let others = [
            (self.links != now.links).then(|| format!("links: {:?}, then {:?}", self.links, now.links)),
            (self.unix_sockets != now.unix_sockets)
                .then(|| format!("sockets: {:?}, then {:?}", self.unix_sockets, now.unix_sockets)),
            (self.rules != now.rules).then(|| format!("rules: {}, then {}", self.rules, now.rules)),
        ];
        unmounted.chain(mounted).chain(others.into_iter().flatten()).collect()
    }
}

fn word(line: &str, number: usize) -> Option<String> {
    line.split_whitespace().nth(number).map(str::to_owned)
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
