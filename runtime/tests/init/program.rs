//! Can what init executes be written by anybody who gets hold of it?

use std::fs::OpenOptions;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use bottle_runtime::builder::{BuilderSetup, FromBuilder};
use bottle_runtime::channel::Channel;
use bottle_runtime::sys;
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
    let program = handed_over(!is_root);
    let path = format!("/proc/self/fd/{}", program.as_raw_fd());
    let (own, theirs) = (std::fs::metadata("/proc/self/exe").unwrap(), std::fs::metadata(&path).unwrap());
    assert_eq!((own.dev(), own.ino()), (theirs.dev(), theirs.ino()));
    // A program that runs can't be written anyway, wherever it is opened; the mount must refuse before that counts.
    let truncated = OpenOptions::new().write(true).truncate(true).open(&path).unwrap_err();
    assert_eq!(truncated.raw_os_error(), Some(Errno::ROFS.raw_os_error()));
    if !is_root {
        assert_eq!(changed(program.as_fd()).unwrap_err().raw_os_error(), Some(Errno::PERM.raw_os_error()));
    }
}

/// What a builder hands over before it builds anything.
fn handed_over(own_user: bool) -> OwnedFd {
    let (ours, theirs) = Channel::pair().unwrap();
    let Some(child) = sys::fork_child().unwrap() else {
        drop(ours);
        bottle_runtime::builder::main(theirs);
    };
    drop(theirs);
    // The helpers end with their channels, which nobody holds here.
    let (dialler, gate) = (Channel::pair().unwrap().1, Channel::pair().unwrap().1);
    ours.send(&BuilderSetup { own_user }, &[dialler.as_fd(), gate.as_fd()]).unwrap();
    let (message, helpers) = ours.recv::<FromBuilder>().unwrap();
    assert!(matches!(message, FromBuilder::Helpers { .. }) && helpers.len() == 2, "{message:?}");
    let (message, descriptors) = ours.recv::<FromBuilder>().unwrap();
    assert!(matches!(message, FromBuilder::Program), "{message:?}");
    drop(ours.recv::<FromBuilder>().unwrap());
    rustix::process::waitpid(Pid::from_raw(child), WaitOptions::empty()).unwrap();
    descriptors.into_iter().next().unwrap()
}

/// Whether whoever has the mount may change what it allows: to take the read-only attribute away needs no less.
fn changed(mount: BorrowedFd<'_>) -> std::io::Result<()> {
    sys::set_tree_attributes(mount, MountAttrFlags::MOUNT_ATTR_NOEXEC.bits().into(), None)
}
