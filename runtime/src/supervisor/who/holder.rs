//! Does a process have a socket open, and what is it? Through one open directory of /proc, which is never about another process.

use std::ffi::CStr;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

use bottle_evidence::Text;
use bottle_evidence::audit::{Known, Process};
use rustix::fs::{AtFlags, Mode, OFlags, RawDir, fstat, openat, readlinkat, statat};

use super::Search;

/// What opening a process weighs, in descriptors looked at.
const WEIGHT: u32 = 4;

/// A network namespace, as files that show it are told apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Namespace(u64, u64);

impl Namespace {
    pub(super) fn of(namespace: impl AsFd) -> io::Result<Namespace> {
        let stat = fstat(namespace)?;
        Ok(Namespace(stat.st_dev, stat.st_ino))
    }
}

/// A process of the bottle, for as long as it is looked at.
pub(super) struct Held {
    pid: u32,
    directory: OwnedFd,
}

impl Held {
    /// Nothing where it is gone, may not be looked at, or is in another network namespace.
    pub(super) fn open(pid: u32, namespace: &Namespace) -> Option<Held> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(format!("/proc/{pid}"), flags, Mode::empty()).ok()?;
        let own = statat(&directory, "ns/net", AtFlags::empty()).ok()?;
        if Namespace(own.st_dev, own.st_ino) != *namespace {
            return None;
        }
        Some(Held { pid, directory })
    }

    /// Answers what it can: whether it has any of the sockets that are wanted. Nothing where it is gone.
    pub(super) fn look(&self, search: &mut Search) -> Option<bool> {
        search.spend(WEIGHT);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptors = openat(&self.directory, "fd", flags, Mode::empty()).ok()?;
        let (mut room, mut link, mut described) = (Vec::with_capacity(4096), Vec::new(), None);
        let mut names = RawDir::new(&descriptors, room.spare_capacity_mut());
        while let Some(Ok(name)) = names.next() {
            if !name.file_name().to_bytes().first().is_some_and(u8::is_ascii_digit) {
                continue;
            }
            if !search.goes_on() || !search.spend(1) {
                break;
            }
            let inode = socket(&descriptors, name.file_name(), &mut link);
            let Some(inode) = inode.filter(|inode| search.wanted.contains_key(inode)) else { continue };
            if described.is_none() {
                described = Some(self.described()?);
                // It may have begun another program meanwhile, in which this is something else.
                if socket(&descriptors, name.file_name(), &mut link) != Some(inode) {
                    continue;
                }
            }
            described.iter().for_each(|process| search.found(inode, process));
        }
        Some(described.is_some())
    }

    fn described(&self) -> Option<Process> {
        let stat = openat(&self.directory, "stat", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        // Its name may be no UTF-8.
        let mut line = Vec::new();
        std::fs::File::from(stat).read_to_end(&mut line).ok()?;
        let start = started(&String::from_utf8_lossy(&line))?;
        // The directory's owner is the one that the process runs as, whatever else of it is hidden.
        let uid = fstat(&self.directory).ok()?.st_uid;
        let executable = readlinkat(&self.directory, "exe", Vec::new()).ok()?;
        let exe = Text::new(&String::from_utf8_lossy(executable.to_bytes()));
        Some(Process::Known(Known { pid: self.pid, start, exe, uid }))
    }
}

/// The inode of the socket that this descriptor is, if it is one.
fn socket(descriptors: &OwnedFd, name: &CStr, room: &mut Vec<u8>) -> Option<u64> {
    let link = readlinkat(descriptors, name, std::mem::take(room)).ok()?;
    let inode = link.to_str().ok().and_then(|link| link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
    *room = link.into_bytes();
    inode
}

/// When a process began, in clock ticks since boot (field 22 of proc_pid_stat(5)).
fn started(stat: &str) -> Option<u64> {
    // The command's name may hold anything, parentheses too; the state follows it.
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_called_like_its_own_line_has_its_own_start() {
        let line = "7 (a) S 1 1 1 (b) R 1 7 7 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 424242 0 0";
        assert_eq!(started(line), Some(424_242));
    }
}
