//! What does an unpacking leave that is killed? Nothing that the next one stumbles over, nor that can't be removed.

use std::fs;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify;
use rustix::process::{Pid, PidfdFlags};
use serde_json::json;

use crate::place::Place;

/// Tells when something is made in a directory.
fn watched(directory: &std::path::Path) -> OwnedFd {
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&watch, directory, inotify::WatchFlags::CREATE).unwrap();
    watch
}

#[test]
fn an_image_whose_unpacking_was_killed_is_unpacked_anew_and_what_was_left_is_removed() {
    let place = Place::with(&json!({ "User": "node" }), 20_000, &[]);
    let source = format!("docker-archive:{}", place.path("image.tar").display());
    place.bottle(&["image", "load", "--packed", &source, "--tag", "owners"]).ok();
    for _ in 0..3 {
        let watch = watched(&place.store("tmp"));
        let mut running = place.command(&["run", "owners", "--", "true"]).stderr(Stdio::null()).spawn().unwrap();
        // Where the last one was whole before it was killed, nothing is made any more.
        let id = Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap();
        let ended = rustix::process::pidfd_open(id, PidfdFlags::empty()).unwrap();
        let mut either = [PollFd::new(&watch, PollFlags::IN), PollFd::new(&ended, PollFlags::IN)];
        poll(&mut either, None).unwrap();
        running.kill().unwrap();
        running.wait().unwrap();
    }
    assert_eq!(
        place.shell(&[], "stat -c %u:%g /many/7 /home/node").ok(),
        "33:34\n1000:1000\n".replace("33:34", owner(&place))
    );
    place.bottle(&["image", "prune"]).ok();
    assert_eq!(fs::read_dir(place.store("tmp")).unwrap().count(), 0);
}

/// Whose the many files seem to be.
fn owner(place: &Place) -> &'static str {
    match place.whose() {
        crate::place::Whose::Callers => "1000:1000",
        _ => "33:34",
    }
}
