//! Can what init executes be written by anybody who gets hold of it?

use std::fs::OpenOptions;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;

use bottle_runtime::builder::{Agent, BuilderSetup, FromBuilder, UserNamespace};
use bottle_runtime::channel::Channel;
use bottle_runtime::init::message::pid_of;
use bottle_runtime::sys;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;
use rustix::process::{Pid, WaitOptions};

use crate::harness::Claim;
use crate::supervisor::{as_ordinary_user, world};

pub(crate) const CLAIMS: &[Claim] = &[
    ("init_executes_the_running_program_where_nobody_can_write_it", || read_only(world().is_root())),
    ("init_executes_the_running_program_where_nobody_can_write_it_for_an_ordinary_user", || {
        as_ordinary_user();
        read_only(false);
    }),
];

fn read_only(is_root: bool) {
    let init = executed(!is_root);
    let path = format!("/proc/{}/exe", init.0);
    let (own, theirs) = (std::fs::metadata("/proc/self/exe").unwrap(), std::fs::metadata(&path).unwrap());
    assert_eq!((own.dev(), own.ino()), (theirs.dev(), theirs.ino()));
    // A program that runs can't be written anyway, wherever it is opened; the mount must refuse before that counts.
    let truncated = OpenOptions::new().write(true).truncate(true).open(&path).unwrap_err();
    assert_eq!(truncated.raw_os_error(), Some(Errno::ROFS.raw_os_error()));
    if !is_root {
        let program = rustix::fs::open(&path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
        assert_eq!(changed(program.as_fd()).unwrap_err().raw_os_error(), Some(Errno::PERM.raw_os_error()));
    }
}

/// An init that waits for what to start; it ends with its channel.
struct Init(u32, Channel);

impl Drop for Init {
    fn drop(&mut self) {
        self.1 = Channel::pair().unwrap().0;
        rustix::process::waitpid(Pid::from_raw(self.0 as i32), WaitOptions::empty()).unwrap();
    }
}

/// What a builder starts before it builds anything.
fn executed(own_user: bool) -> Init {
    let (ours, theirs) = Channel::pair().unwrap();
    let Some(child) = sys::fork_child().unwrap() else {
        drop(ours);
        bottle_runtime::builder::main(theirs);
    };
    drop(theirs);
    // The helpers end with their channels, which nobody holds here.
    let (dialler, gate) = (Channel::pair().unwrap().1, Channel::pair().unwrap().1);
    let (to_init, init) = Channel::pair().unwrap();
    let user = if own_user { UserNamespace::Fresh } else { UserNamespace::Inherited };
    ours.send(
        &BuilderSetup { user, agent: Agent::Created, from_read_only: false },
        &[dialler.as_fd(), gate.as_fd(), init.as_fd()],
    )
    .unwrap();
    drop(init);
    let (message, helpers) = ours.recv::<FromBuilder>().unwrap();
    assert!(matches!(message, FromBuilder::Helpers { .. }) && helpers.len() == 2, "{message:?}");
    let (message, pidfds) = ours.recv::<FromBuilder>().unwrap();
    let FromBuilder::Init { pid } = message else { panic!("{message:?}") };
    assert_eq!((pidfds.len(), pid_of(&pidfds[0]).unwrap()), (2, pid));
    let mount = rustix::fs::fstatvfs(&pidfds[1]).unwrap();
    assert!(mount.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY), "what others are executed from later, too");
    drop(ours.recv::<FromBuilder>().unwrap());
    let (tried, _) = ours.recv::<FromBuilder>().unwrap();
    assert!(matches!(&tried, FromBuilder::Probed(saw) if saw.observed == "refused"), "{tried:?}");
    rustix::process::waitpid(Pid::from_raw(child), WaitOptions::empty()).unwrap();
    // Its copy of the builder's channel is closed when it executes the program.
    assert!(ours.recv::<FromBuilder>().is_err());
    Init(pid, to_init)
}

/// Whether whoever has the mount may change what it allows: to take the read-only attribute away needs no less.
fn changed(mount: BorrowedFd<'_>) -> std::io::Result<()> {
    sys::set_tree_attributes(mount, MountAttrFlags::MOUNT_ATTR_NOEXEC.bits().into(), None)
}
