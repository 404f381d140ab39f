//! What may the process do that has the ids of a range, and its child that unpacks? What docs/confinement.md says.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FlockOperation, flock, inotify};
use serde_json::json;

use crate::place::{Place, Whose};

const DOCUMENT: &str = include_str!("../../../docs/confinement.md");

/// The rows of the document that /proc/PID/status has too, by its name for them: of the steward, and of its child.
fn documented() -> Vec<(&'static str, [&'static str; 2])> {
    let table = DOCUMENT.split_once("| of who unpacks |").expect("the table").1;
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    cells.filter_map(|row| Some((named(row[0])?, [row[1], row[2]]))).collect()
}

fn named(row: &str) -> Option<&'static str> {
    match row {
        "no_new_privs" => Some("NoNewPrivs"),
        "seccomp mode" => Some("Seccomp"),
        "seccomp filters" => Some("Seccomp_filters"),
        _ => None,
    }
}

/// The locks that are taken while layers are unpacked with ids of a range.
fn locks(place: &Place) -> Vec<PathBuf> {
    let there = fs::read_dir(place.store("")).unwrap().map(|entry| entry.unwrap().path());
    let is_one = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("mapped-") && name.ends_with(".lock")
    };
    there.filter(is_one).collect()
}

fn status(pid: u32, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().to_owned()
}

/// The one child of this name.
fn child(parent: u32) -> u32 {
    let all = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_one = |pid: &u32| {
        // Processes end meanwhile.
        let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        text.starts_with("Name:\tbottle-steward\n") && text.contains(&format!("\nPPid:\t{parent}\n"))
    };
    let found: Vec<u32> = all.filter(is_one).collect();
    assert_eq!(found.len(), 1, "{found:?} of {parent}");
    found[0]
}

#[test]
fn who_unpacks_with_ids_of_a_range_is_closed_in_as_the_document_says() {
    let place = Place::new(&json!({}));
    let source = format!("docker-archive:{}", place.path("image.tar").display());
    let load = || place.bottle(&["image", "load", "--packed", &source, "--tag", "owners"]).ok().to_owned();
    load();
    place.shell(&[], "true").ok();
    let locks = locks(&place);
    if place.whose() != Whose::Range {
        assert_eq!(locks, [""; 0].map(PathBuf::from), "nobody else works with such ids");
        return;
    }
    place.bottle(&["image", "rm", "owners"]).ok();
    place.bottle(&["image", "prune"]).ok();
    load();
    let held = File::open(&locks[0]).unwrap();
    flock(&held, FlockOperation::LockExclusive).unwrap();
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&watch, &locks[0], inotify::WatchFlags::OPEN).unwrap();
    let mut running = place.command(&["run", "owners", "--", "true"]).stderr(Stdio::null()).spawn().unwrap();
    // It has opened the lock, and waits for us to let go of it.
    poll(&mut [PollFd::new(&watch, PollFlags::IN)], None).unwrap();
    let steward = child(running.id());
    let unpacker = child(steward);
    let documented = documented();
    assert_eq!(documented.len(), 3);
    for (name, expected) in documented {
        assert_eq!([status(steward, name), status(unpacker, name)], expected, "{name}");
    }
    drop(held);
    assert!(running.wait().unwrap().success());
}
