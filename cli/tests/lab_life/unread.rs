//! Does a run end when nobody reads what its command writes? At once when it must, and with every byte when it need not.

use std::io::{PipeReader, PipeWriter, Read};
use std::process::{Child, Stdio};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::Signal;

use crate::running::{Held, Processes};
use crate::world::{LIMIT, Said, World};

/// More than the pipe takes (4096), and no more than always waits in a terminal for it (4095). How much more does depends on how
/// the kernel cuts it.
const BYTES: usize = 8_000;

/// A bottle whose output is a pipe that only the test reads. With `-t` bottle itself writes to it.
struct Unread {
    child: Child,
    out: PipeReader,
}

impl Unread {
    /// Goes on when the pipe is full.
    fn start(world: &World, options: &[&str], script: &str) -> Unread {
        let (out, writer) = std::io::pipe().unwrap();
        rustix::pipe::fcntl_setpipe_size(&writer, 4096).unwrap();
        let mut command = world.run(&[&["-t"], options, &["host", "--", "sh", "-c", script]].concat());
        let child = command.stdout(writer.try_clone().unwrap()).stderr(Stdio::piped()).spawn().unwrap();
        drop(command);
        while takes_more(&writer) {
            std::thread::yield_now();
        }
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

fn takes_more(pipe: &PipeWriter) -> bool {
    let mut ready = [PollFd::new(pipe, PollFlags::OUT)];
    rustix::event::poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() > 0
}

/// A command that has ended, in a bottle that has not; its run is closed in the log.
fn written_and_unread(world: &World) -> Unread {
    let watch = Inotify::init(InitFlags::IN_CLOEXEC).unwrap();
    let unread = Unread::start(world, &[], &format!("head -c {BYTES} /dev/zero | tr '\\0' x"));
    watch.add_watch(&world.audit(), AddWatchFlags::IN_MODIFY).unwrap();
    while !std::fs::read_to_string(world.audit()).unwrap().contains("\"kind\":\"run.end\"") {
        let mut changed = [PollFd::new(&watch, PollFlags::IN)];
        let limit = Timespec { tv_sec: LIMIT.as_secs().cast_signed(), tv_nsec: 0 };
        assert_eq!(rustix::event::poll(&mut changed, Some(&limit)).unwrap(), 1, "the run is not closed in the log");
        watch.read_events().unwrap();
    }
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
    let unread = Unread::start(&world, &[], "yes");
    Processes::of(unread.child.id()).gate.signal(Signal::KILL);
    assert_closed(&world, &unread.end());
    assert_eq!(world.entries_of("drift")[0]["what"], "gate");
}

#[test]
fn the_callers_time_limit_ends_it() {
    let world = World::new();
    let unread = Unread::start(&world, &["--timeout", "1s"], "yes");
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
