//! Does a run end when nobody reads what its command writes? At once when it must, and with every byte when it need not.

use std::io::{PipeReader, Read, Write};
use std::path::Path;
use std::process::{Child, Stdio};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::Signal;

use crate::running::{Held, Processes};
use crate::world::{LIMIT, Said, World};

/// No more than always waits in a terminal.
const BYTES: usize = 4_000;

/// A command that writes for ever.
const FOR_EVER: &str = "echo y; touch written; exec yes";

/// What the pipe takes.
const FULL: usize = 4096;

/// A bottle whose output is a full pipe that only the test reads. With `-t` bottle itself writes to it.
struct Unread {
    child: Child,
    out: PipeReader,
}

impl Unread {
    /// Goes on when the command has written something, and after it a file.
    fn start(world: &World, options: &[&str], script: &str) -> Unread {
        let (out, mut writer) = std::io::pipe().unwrap();
        rustix::pipe::fcntl_setpipe_size(&writer, FULL).unwrap();
        writer.write_all(&[b'.'; FULL]).unwrap();
        let mut command = world.run(&[&["-t"], options, &["host", "--", "sh", "-c", script]].concat());
        let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        drop(command);
        let written = world.project("written");
        until(written.parent().unwrap(), AddWatchFlags::IN_CREATE, "the command has written nothing", || {
            written.exists()
        });
        Unread { child, out }
    }

    fn held(&self) -> Held {
        Held::new(self.child.id())
    }

    /// Its end, with the pipe as full as it is.
    fn end(self) -> Said {
        assert!(self.held().ends_within(LIMIT), "it still runs");
        Said::from(self.child.wait_with_output().unwrap())
    }
}

/// Waits until this holds, which a change of the file or directory may bring about.
pub fn until(path: &Path, change: AddWatchFlags, else_say: &str, holds: impl Fn() -> bool) {
    let watch = Inotify::init(InitFlags::IN_CLOEXEC).unwrap();
    watch.add_watch(path, change).unwrap();
    while !holds() {
        let mut changed = [PollFd::new(&watch, PollFlags::IN)];
        let limit = Timespec { tv_sec: LIMIT.as_secs().cast_signed(), tv_nsec: 0 };
        assert_eq!(rustix::event::poll(&mut changed, Some(&limit)).unwrap(), 1, "{else_say}");
        watch.read_events().unwrap();
    }
}

/// A command that has ended, in a bottle that has not; its run is closed in the log.
fn written_and_unread(world: &World) -> Unread {
    let script = format!("head -c {BYTES} /dev/zero | tr '\\0' x; touch written");
    let unread = Unread::start(world, &[], &script);
    let ended = || std::fs::read_to_string(world.audit()).unwrap().contains("\"kind\":\"run.end\"");
    until(&world.audit(), AddWatchFlags::IN_MODIFY, "the run is not closed in the log", ended);
    unread
}

fn assert_closed(world: &World, said: &Said) {
    assert_eq!(said.code, 137, "{said:?}");
    assert!(said.err.contains("nobody reads what the command wrote"), "{said:?}");
    assert_eq!(world.entries_of("run.end").len(), 1);
    world.verify_log().ok();
}

#[test]
fn drift_ends_it() {
    let world = World::new();
    let unread = Unread::start(&world, &[], FOR_EVER);
    Processes::of(unread.child.id()).gate.signal(Signal::KILL);
    assert_closed(&world, &unread.end());
    assert_eq!(world.entries_of("drift")[0]["what"], "gate");
}

#[test]
fn the_callers_time_limit_ends_it() {
    let world = World::new();
    let unread = Unread::start(&world, &["--timeout", "1s"], FOR_EVER);
    assert_closed(&world, &unread.end());
}

#[test]
fn a_signal_ends_it_when_the_command_has_ended() {
    let world = World::new();
    let unread = written_and_unread(&world);
    unread.held().signal(Signal::TERM);
    let said = unread.end();
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("nobody reads what the command wrote"), "{said:?}");
}

#[test]
fn a_reader_who_comes_late_gets_every_byte() {
    let world = World::new();
    let mut unread = written_and_unread(&world);
    let mut text = String::new();
    unread.out.read_to_string(&mut text).unwrap();
    assert_eq!(text.matches('x').count(), BYTES);
    assert_eq!(unread.end().code, 0);
}
