//! What does a role hold of its caller's?

use std::time::Duration;

use bottle_runtime::roles::{Program, Role};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::FdFlags;
use rustix::pipe::{PipeFlags, pipe_with};

use crate::harness::Claim;

pub(crate) const CLAIMS: &[Claim] = &[("a_role_closes_what_its_caller_left_open", closes)];

/// Long enough for a process to be executed on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn closes() {
    let program = Program::running().unwrap();
    for role in [Role::Builder, Role::Init] {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        rustix::io::fcntl_setfd(&write, FdFlags::empty()).unwrap();
        // It waits for its setup for as long as its channel is held here.
        let _process = program.spawn(role).unwrap();
        drop(write);
        let mut fds = [PollFd::new(&read, PollFlags::IN)];
        let patience = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
        rustix::event::poll(&mut fds, Some(&patience)).unwrap();
        assert!(fds[0].revents().contains(PollFlags::HUP), "{role:?} still holds it");
    }
}
