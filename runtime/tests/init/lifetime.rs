//! When does a bottle end, and does anything stay behind?

use std::os::fd::AsFd;

use bottle_runtime::channel::Channel;
use bottle_runtime::init::message::{End, ToInit};
use bottle_runtime::sys;
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, Signal, WaitOptions, kill_process};

use crate::harness::Claim;
use crate::supervisor::{WINDOW, World, as_ordinary_user, pidfd, world};

pub(crate) const CLAIMS: &[Claim] = &[
    ("a_signal_reaches_the_workload", || signals(&world())),
    ("a_signal_reaches_the_workload_for_an_ordinary_user", || signals(&as_ordinary_user())),
    ("a_terminal_is_the_workloads_own", || terminal(&world())),
    ("a_terminal_is_the_workloads_own_for_an_ordinary_user", || terminal(&as_ordinary_user())),
    ("orphans_end_with_the_workload", || orphans(&world())),
    ("the_end_of_the_channel_ends_the_bottle", || end_of_channel(&world())),
    ("a_killed_supervisor_takes_the_bottle_with_it", || killed_supervisor(&world())),
    ("a_killed_supervisor_takes_the_bottle_with_it_for_an_ordinary_user", || killed_supervisor(&as_ordinary_user())),
    ("a_held_workload_that_is_not_released_never_runs", || never_released(&world())),
    ("the_workload_can_not_end_its_init", || immune_init(&world())),
];

fn start(world: &World, script: &str) -> crate::supervisor::Running {
    world.start(&world.plan(&["sh", "-c", script])).held().unwrap().release()
}

fn signals(world: &World) {
    let running = start(world, "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done");
    assert_eq!(running.line(), "ready");
    running.signal(15);
    assert_eq!(running.finish().end, Some(End::Code(9)));
    let running = start(world, "echo ready; exec sleep 1000");
    assert_eq!(running.line(), "ready");
    running.signal(9);
    assert_eq!(running.finish().end.unwrap().exit_code(), 137);
}

fn terminal(world: &World) {
    let mut plan = world.plan(&[
        "sh",
        "-c",
        "test -t 0 && test -t 1 && tty && stty size && ps -o tty= -p $$ && read word && echo got $word",
    ]);
    plan.terminal = Some(WINDOW);
    let running = world.start(&plan).held().unwrap().release();
    assert_eq!(running.line(), "/dev/pts/0");
    assert_eq!(running.line(), "33 77");
    assert_eq!(running.line().trim(), "pts/0");
    rustix::io::write(running.held.terminal.as_ref().unwrap(), b"hello\n").unwrap();
    assert_eq!(running.line(), "hello", "the terminal echoes");
    assert_eq!(running.line(), "got hello");
    assert_eq!(running.finish().end, Some(End::Code(0)));
}

/// Waits until a process has ended, ten seconds at most.
fn ends(process: &rustix::fd::OwnedFd) {
    let mut ready = [PollFd::new(process, PollFlags::IN)];
    let patience = rustix::event::Timespec { tv_sec: 10, tv_nsec: 0 };
    assert_eq!(rustix::event::poll(&mut ready, Some(&patience)).unwrap(), 1, "it still runs");
}

fn orphans(world: &World) {
    let running = start(world, "(trap '' HUP TERM; sleep 1000) & echo ready; read x < /dev/null; exit 3");
    assert_eq!(running.line(), "ready");
    let run = running.finish();
    // The output ends only when no process holds it any more.
    assert_eq!(run.end, Some(End::Code(3)));
}

fn end_of_channel(world: &World) {
    let running = start(world, "echo ready; exec sleep 1000");
    assert_eq!(running.line(), "ready");
    let workload = pidfd(running.held.workload);
    let first = Pid::from_raw(running.held.first as i32);
    drop(running);
    ends(&workload);
    rustix::process::waitpid(first, WaitOptions::empty()).unwrap();
}

fn killed_supervisor(world: &World) {
    let (told, tell) = Channel::pair().unwrap();
    let Some(supervisor) = sys::fork_child().unwrap() else {
        let running = start(world, "echo ready; exec sleep 1000");
        assert_eq!(running.line(), "ready");
        let ids = (running.held.first, running.held.workload);
        tell.send(&ids, &[running.held.channel.as_fd()]).unwrap();
        loop {
            std::thread::park();
        }
    };
    // The channel stays open in these hands: only the kernel's tie is left.
    let ((first, workload), _channel) = told.recv::<(u32, u32)>().unwrap();
    let [first, workload] = [first, workload].map(pidfd);
    let supervisor = Pid::from_raw(supervisor).unwrap();
    kill_process(supervisor, Signal::KILL).unwrap();
    rustix::process::waitpid(Some(supervisor), WaitOptions::empty()).unwrap();
    ends(&first);
    ends(&workload);
}

fn never_released(world: &World) {
    let held = world.start(&world.plan(&["sh", "-c", "echo > made"])).held().unwrap();
    let workload = pidfd(held.workload);
    let first = Pid::from_raw(held.first as i32);
    held.channel.send(&ToInit::Signal { number: 9 }, &[]).unwrap();
    drop(held);
    ends(&workload);
    rustix::process::waitpid(first, WaitOptions::empty()).unwrap();
    assert!(!world.path().join("made").exists());
}

fn immune_init(world: &World) {
    assert_eq!(world.shell("kill -9 1 2>/dev/null; kill -TERM 1; kill -CHLD 1; echo alive"), "alive\n");
}
