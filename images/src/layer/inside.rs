//! How is a path of a layer reached without leaving the layer's directory?
//!
//! Every path is opened by openat2(2) below a descriptor of the directory, with no link followed by the kernel: links are
//! followed here, step by step, as they would be with the directory as `/`. A clean path has neither links nor `.` or `..` in
//! it; the empty one is the directory itself.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

/// What openat2 may do on the way: nothing but walk downwards.
const STRAIGHT: ResolveFlags =
    ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS).union(ResolveFlags::NO_SYMLINKS);

/// How many links one path may lead through, as in the kernel.
pub(super) const LINKS: usize = 40;

/// Opens what a clean path names; a link is opened itself.
pub(super) fn open(root: impl AsFd, path: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let path = if path.is_empty() { b"." } else { path };
    // A link at the end is refused by NO_SYMLINKS unless O_PATH and O_NOFOLLOW ask for the link itself.
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    loop {
        match rustix::fs::openat2(&root, path, flags, Mode::empty(), STRAIGHT) {
            // Something was renamed meanwhile, anywhere.
            Err(Errno::AGAIN | Errno::INTR) => {}
            opened => return opened,
        }
    }
}

/// Opens a directory to list it and to change what it says of itself.
pub(super) fn open_directory(root: impl AsFd, path: &[u8]) -> rustix::io::Result<OwnedFd> {
    open(root, path, OFlags::RDONLY | OFlags::DIRECTORY)
}

/// What lies at a clean path; None where nothing does.
pub(super) fn look(root: impl AsFd, path: &[u8]) -> rustix::io::Result<Option<(OwnedFd, Stat)>> {
    match open(root, path, OFlags::PATH) {
        Ok(file) => {
            let stat = rustix::fs::fstat(&file)?;
            Ok(Some((file, stat)))
        }
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a link says.
pub(super) fn link_text(link: impl AsFd) -> rustix::io::Result<Vec<u8>> {
    Ok(rustix::fs::readlinkat(link, "", Vec::new())?.into_bytes())
}

/// A clean path with one name more.
pub(super) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() { name.to_owned() } else { [directory, b"/", name].concat() }
}

/// A clean path without its last name.
pub(super) fn parent(path: &[u8]) -> &[u8] {
    &path[..path.iter().rposition(|byte| *byte == b'/').unwrap_or(0)]
}

/// A clean path in two: where, and its last name.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let directory = parent(path);
    (directory, path[directory.len()..].strip_prefix(b"/").unwrap_or(path))
}

/// The names of a path in order, without empty ones and `.`.
pub(super) fn names(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b"."))
}
