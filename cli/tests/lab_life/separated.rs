//! What may gate, dialler and init do? By what /proc says of them in a bottle that runs, and as docs/confinement.md has it.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::Value;

use crate::detached::Detached;
use crate::host;
use crate::running::Processes;
use crate::world::{World, said, text};

const DOCUMENT: &str = include_str!("../../../docs/confinement.md");

const NAMESPACES: [&str; 7] = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];

/// The rows of the document's table of bottle's own processes: what, then what is said of gate, dialler and init.
fn documented() -> BTreeMap<&'static str, [&'static str; 3]> {
    let (_, after) = DOCUMENT.split_once("| of a process | gate | dialler | init |\n").expect("the table");
    let rows = after.lines().skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        (cells[0], [cells[1], cells[2], cells[3]])
    })
    .collect()
}

/// What a cell says for who runs these tests: root, or an ordinary user.
fn mine(cell: &'static str) -> &'static str {
    match cell.split_once("; an ordinary user's: ") {
        Some((of_root, _)) if host::is_root() => of_root,
        Some((_, of_others)) => of_others,
        None => cell,
    }
}

/// A place, whatever leads there.
fn place(path: &str) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

fn uid(pid: u32) -> String {
    host::status(pid, "Uid").unwrap()
}

fn whose(pid: u32, all: &Processes) -> &'static str {
    let ids = [all.gate.pid, all.dialler.pid, all.init.pid, all.workload.pid].map(uid);
    let own = uid(pid);
    assert!(own.split(' ').all(|id| id != "0"), "{own}");
    if own == uid(std::process::id()) {
        "the caller's"
    } else if own == uid(all.workload.pid) {
        "the workload's"
    } else {
        assert_eq!(ids.iter().filter(|id| **id == own).count(), 1, "{ids:?}");
        "of its own"
    }
}

fn mask(pid: u32, supervisor: u32, set: &str) -> &'static str {
    match host::status(pid, set).unwrap() {
        empty if empty.bytes().all(|digit| digit == b'0') => "none",
        caller if Some(&caller) == host::status(supervisor, set).as_ref() => "the caller's",
        other => panic!("{set} is {other}"),
    }
}

fn root(pid: u32, workload: u32) -> &'static str {
    let root = place(&format!("/proc/{pid}/root/")).unwrap();
    if Some(root) == place("/") {
        "the host's"
    } else if Some(root) == place(&format!("/proc/{workload}/root/")) {
        "the workload's"
    } else {
        assert_eq!(std::fs::read_dir(format!("/proc/{pid}/root/")).unwrap().count(), 0);
        "empty"
    }
}

/// Which namespaces are not those of the supervisor.
fn apart(pid: u32, supervisor: u32) -> String {
    let link = |pid: u32, kind: &str| std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
    let own: Vec<&str> = NAMESPACES.into_iter().filter(|kind| link(pid, kind) != link(supervisor, kind)).collect();
    if own.is_empty() { "none".into() } else { own.join(" ") }
}

/// The kinds of what it has open. Of a process of another user namespace the kernel lists them to root alone: bottle's own
/// measurement has them all the same.
fn open(pid: u32, measured: &Value) -> String {
    let counted: BTreeSet<String> = measured["descriptors"].as_object().unwrap().keys().cloned().collect();
    let links = host::links(&format!("/proc/{pid}/fd"));
    if std::fs::read_dir(format!("/proc/{pid}/fd")).is_ok() {
        // A debug build keeps its caller's standard error.
        let error = std::fs::read_link(format!("/proc/{pid}/fd/2")).map(|link| link.display().to_string()).ok();
        let files = links.iter().filter(|link| link.starts_with('/') && Some(*link) != error.as_ref());
        assert!(files.clone().all(|file| file == "/dev/null"), "{links:?}");
    }
    counted.into_iter().map(|kind| if kind == "file" { "/dev/null".into() } else { kind }).collect::<Vec<_>>().join(" ")
}

#[test]
fn gate_dialler_and_init_are_what_the_document_says_by_what_the_kernel_says() {
    let world = World::new();
    let bottle = Detached::shell(&world, "echo ready; sleep 1000; :");
    bottle.wait_for("ready");
    let all = Processes::of(bottle.supervisor().pid);
    let attestation = world.path("now.json");
    let mut renew = world.bottle(&["attest", "renew", &bottle.id, "--nonce", &"e".repeat(64), "--attestation"]);
    said(renew.arg(&attestation)).ok();
    let now: Value =
        serde_json::from_str(said(&mut world.bottle(&["attest", "show", "--json", text(&attestation)])).ok()).unwrap();
    let facts = &now["predicate"]["facts"];
    let filters = |pid| host::status(pid, "Seccomp_filters").unwrap().parse::<u32>().unwrap();
    let documented = documented();
    for (at, (who, pid)) in
        [("gate", all.gate.pid), ("dialler", all.dialler.pid), ("init", all.init.pid)].into_iter().enumerate()
    {
        let sets: BTreeSet<_> =
            ["CapInh", "CapPrm", "CapEff", "CapAmb"].map(|set| mask(pid, all.supervisor.pid, set)).into();
        assert_eq!(sets.len(), 1, "{who}: {sets:?}");
        let found: [(&str, String); 10] = [
            ("uid on the host", whose(pid, &all).into()),
            ("capabilities", sets.first().unwrap().to_string()),
            ("bounding set", mask(pid, all.supervisor.pid, "CapBnd").into()),
            ("no_new_privs", host::status(pid, "NoNewPrivs").unwrap()),
            ("seccomp mode", host::status(pid, "Seccomp").unwrap()),
            ("seccomp filters", (filters(pid) - filters(all.supervisor.pid)).to_string()),
            ("namespaces of its own", apart(pid, all.supervisor.pid)),
            ("root", root(pid, all.workload.pid).into()),
            ("executes", executes(pid, &all)),
            ("open descriptors", open(pid, &facts[format!("{who}.process")]["value"])),
        ];
        assert_eq!(documented.len(), found.len(), "{documented:?}");
        for (what, is) in found {
            assert_eq!(mine(documented[what][at]), is, "{what} of {who}");
        }
    }
}

fn executes(pid: u32, all: &Processes) -> String {
    let exe = |pid: u32| place(&format!("/proc/{pid}/exe"));
    assert_eq!(exe(pid), exe(all.supervisor.pid));
    let writable = rustix::fs::statvfs(Path::new(&format!("/proc/{pid}/exe"))).unwrap();
    let read_only = writable.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY);
    if read_only { "bottle, from a read-only mount".into() } else { "bottle".into() }
}
