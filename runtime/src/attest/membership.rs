//! Which processes live in the network namespaces? All of /proc is looked through: who enters one must be seen.
//!
//! Each thread has a namespace of its own, so a process is there when any of its threads is.

use std::collections::HashSet;
use std::fmt::Write;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RawDir};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Pid, PidfdFlags};

use crate::process::Stat;

/// The ids of all visible processes with a thread in the network namespaces that have these inode numbers, for each in order.
///
/// A process whose namespaces the caller may not see belongs to another user, who can't enter a namespace of ours
/// without being root; one that ends meanwhile is in no namespace any more.
///
/// Next to nothing is allocated on the way: whoever is measured beside it is by a thread that allocates much.
fn processes_in<const N: usize>(inodes: [u64; N]) -> io::Result<[Vec<u32>; N]> {
    let mut found = [const { Vec::new() }; N];
    let kernel = kernel_threads();
    let processes = rustix::fs::open("/proc", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let mut room = [MaybeUninit::uninit(); 8 * 1024];
    let (mut entries, mut path) = (RawDir::new(&processes, &mut room), String::with_capacity(32));
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        let Ok(pid) = name.parse::<u32>() else { continue };
        if kernel.contains(&pid) {
            continue;
        }
        namespaces_at(processes.as_fd(), name, &mut path, |inode| {
            if let Some(at) = inodes.iter().position(|wanted| *wanted == inode).filter(|at| !found[*at].contains(&pid))
            {
                found[at].push(pid);
            }
        })?;
    }
    found.iter_mut().for_each(|pids| pids.sort_unstable());
    Ok(found)
}

/// The kernel's own threads, as kthreadd forks them: they live where the machine began and can't leave. None are known
/// where the kernel does not say that process 2 is kthreadd (Linux 6.8), as in a pid namespace, where it is anybody.
pub(crate) fn kernel_threads() -> HashSet<u32> {
    const KTHREADD: u32 = 2;
    let status = std::fs::read_to_string(format!("/proc/{KTHREADD}/status")).unwrap_or_default();
    let known = status.lines().any(|line| line == "Kthread:\t1");
    if known { children(KTHREADD).into_iter().collect() } else { HashSet::new() }
}

/// The inode numbers of the network namespaces of a process's threads, by the process's directory in /proc.
pub(crate) fn namespaces_of(process: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    let process = process.to_str().ok_or(io::ErrorKind::InvalidInput)?;
    namespaces_at(CWD, process, &mut String::new(), |inode| found.push(inode))?;
    Ok(found)
}

/// Tells of each thread of a process in which network namespace it is. `path` is room for paths.
fn namespaces_at(from: BorrowedFd<'_>, process: &str, path: &mut String, mut tell: impl FnMut(u64)) -> io::Result<()> {
    let tasks = rustix::fs::statat(from, spell(path, format_args!("{process}/task")), AtFlags::empty());
    match seen(tasks)?.map(|tasks| tasks.st_nlink) {
        None => {}
        // Most have one thread, and then the directory of threads has two links, `.` and `..`, and that one's.
        Some(..=3) => inode_at(from, spell(path, format_args!("{process}/ns/net")))?.into_iter().for_each(tell),
        Some(_) => {
            let tasks = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let Some(tasks) = seen(rustix::fs::openat(from, path.as_str(), tasks, Mode::empty()))? else {
                return Ok(());
            };
            let mut room = [MaybeUninit::uninit(); 2 * 1024];
            let mut threads = RawDir::new(&tasks, &mut room);
            while let Some(Some(thread)) = threads.next().map(seen).transpose()? {
                if let Some(thread) = thread.file_name().to_str().ok().filter(|name| !name.starts_with('.')) {
                    let link = spell(path, format_args!("{process}/task/{thread}/ns/net"));
                    inode_at(from, link)?.into_iter().for_each(&mut tell);
                }
            }
        }
    }
    Ok(())
}

/// Nothing of a process that ended meanwhile, or is hidden. Whatever else can't be read, as where there is no descriptor left, is not known: it
/// may be about anybody.
fn seen<T>(read: rustix::io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Err(Errno::NOENT | Errno::SRCH | Errno::ACCESS | Errno::PERM) => Ok(None),
        read => Ok(Some(read?)),
    }
}

fn spell<'a>(path: &'a mut String, words: std::fmt::Arguments<'_>) -> &'a str {
    path.clear();
    // To write into a string never fails.
    let _ = path.write_fmt(words);
    path
}

/// The inode number in what the link says: to read it takes half as long as to follow it.
fn inode_at(from: BorrowedFd<'_>, link: &str) -> io::Result<Option<u64>> {
    let mut room = [MaybeUninit::uninit(); 64];
    let Some((said, _)) = seen(rustix::fs::readlinkat_raw(from, link, &mut room))? else { return Ok(None) };
    let number = || std::str::from_utf8(said).ok()?.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok();
    number().map(Some).ok_or(io::ErrorKind::InvalidData.into())
}

/// Who may be in the agent's namespace besides those who stay there.
#[derive(Clone, Copy)]
pub(super) struct Leaving {
    /// Whose children are on their way out: init's, who made the probes.
    pub(super) parent: u32,
    /// The builder, whose end is demanded later.
    pub(super) builder: Option<u32>,
}

impl Leaving {
    /// The first that may be on its way out, but for `ours`.
    fn among(self, found: &[u32], ours: &[u32]) -> io::Result<Option<u32>> {
        for pid in found.iter().filter(|pid| !ours.contains(pid)) {
            if self.may_be(Stat::read(*pid)?) {
                return Ok(Some(*pid));
            }
        }
        Ok(None)
    }

    /// What is gone since it was found has left: then it is looked again.
    fn may_be(self, stat: Option<Stat>) -> bool {
        stat.is_none_or(|stat| stat.parent == self.parent)
    }
}

/// The same but for the builder, when those that are on their way out have left. `ours` are those that stay. The first namespace is the
/// agent's.
///
/// A process that exits executes nothing any more, and leaves its namespaces before its files are closed, which takes the
/// kernel some ten milliseconds for a packet socket. So its end is not waited for once its exit has begun.
pub(super) fn settled_processes_in<const N: usize>(
    inodes: [u64; N],
    leaving: Leaving,
    ours: &[u32],
) -> io::Result<[Vec<u32>; N]> {
    // Before the first look rather than after it: to look takes long.
    for process in children(leaving.parent).into_iter().filter(|process| !ours.contains(process)) {
        leaves_in_time(process)?;
    }
    loop {
        let mut found = processes_in(inodes)?;
        found[0].retain(|pid| Some(*pid) != leaving.builder);
        match leaving.among(&found[0], ours)? {
            Some(pid) if leaves_in_time(pid)? => {}
            _ => return Ok(found),
        }
    }
}

/// The children of a process with one thread. None are known where the kernel does not list them.
fn children(pid: u32) -> Vec<u32> {
    let listed = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_ascii_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// Whether its exit has begun in time: it executes nothing any more.
pub(super) fn leaves_in_time(pid: u32) -> io::Result<bool> {
    Ok(Stat::read(pid)?.is_none_or(|stat| stat.is_over()) || ends_in_time(pid)?)
}

fn ends_in_time(pid: u32) -> io::Result<bool> {
    const PATIENCE: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };
    let id = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
    let pidfd = match rustix::process::pidfd_open(id, PidfdFlags::empty()) {
        Err(Errno::SRCH) => return Ok(true),
        // Where there is no descriptor left, as nothing of it can be told.
        pidfd => pidfd?,
    };
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
    Ok(retry_on_intr(|| rustix::event::poll(&mut fds, Some(&PATIENCE)))? > 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_child_on_its_way_out_is_waited_for_and_others_are_not() {
        let inode = std::fs::metadata("/proc/self/ns/net").unwrap().ino();
        let own = std::process::id();
        // It ends when its standard input does, which is when this side looks for it.
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        let input = child.stdin.take();
        let leaving = Leaving { parent: own, builder: None };
        let looking = std::thread::spawn(move || settled_processes_in([inode], leaving, &[own]));
        assert!(processes_in([inode]).unwrap()[0].contains(&pid));
        drop(input);
        child.wait().unwrap();
        assert!(!looking.join().unwrap().unwrap()[0].contains(&pid));
    }

    #[test]
    fn what_is_gone_when_it_is_looked_at_counts_as_little_as_a_child_that_leaves() {
        let stat = |parent| Some(Stat { parent, exiting: false, threads: 1, start: 1 });
        let leaving = Leaving { parent: 7, builder: None };
        assert!(leaving.may_be(None) && leaving.may_be(stat(7)) && !leaving.may_be(stat(1)));
    }

    #[test]
    fn a_process_that_has_exited_is_not_waited_for_though_nobody_has_reaped_it() {
        let own = std::process::id();
        assert!(!Stat::read(own).unwrap().unwrap().exiting);
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let stat = Stat::read(child.id()).unwrap().unwrap();
        assert!(stat.parent == own && !stat.exiting);
        drop(child.stdin.take());
        assert!(ends_in_time(child.id()).unwrap());
        assert!(Stat::read(child.id()).unwrap().unwrap().exiting);
        child.wait().unwrap();
        assert!(Stat::read(child.id()).unwrap().is_none());
    }

    #[test]
    fn only_one_that_is_not_there_has_left_where_it_cannot_be_held() {
        // There is no descriptor of a thread that is not the first one, though it is there.
        let (told, end) = (std::sync::mpsc::channel(), std::sync::mpsc::channel::<()>());
        let thread = std::thread::spawn(move || {
            told.0.send(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
            let _ = end.1.recv();
        });
        let held = ends_in_time(told.1.recv().unwrap().try_into().unwrap());
        drop(end.0);
        thread.join().unwrap();
        assert!(held.is_err(), "{held:?}");
        assert!(ends_in_time(0).is_err());
        assert!(ends_in_time(i32::MAX.try_into().unwrap()).unwrap());
    }

    /// In a network namespace of its own with one thread only, which it names, until its standard input ends.
    const ELSEWHERE: &str = r#"
import ctypes, os, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
assert libc.unshare(0x10000000) == 0, os.strerror(ctypes.get_errno())
assert libc.prctl(4, 1, 0, 0, 0) == 0
def leave():
    assert libc.unshare(0x40000000) == 0, os.strerror(ctypes.get_errno())
    print(os.stat("/proc/thread-self/ns/net").st_ino, flush=True)
    sys.stdin.read()
threading.Thread(target=leave).start()
"#;

    #[test]
    fn a_process_with_one_thread_in_the_namespace_is_found() {
        use std::io::{BufRead, BufReader};
        use std::process::{Command, Stdio};
        let mut python = Command::new("python3");
        python.args(["-c", ELSEWHERE]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut python = python.spawn().unwrap();
        let mut inode = String::new();
        BufReader::new(python.stdout.take().unwrap()).read_line(&mut inode).unwrap();
        let found = processes_in([inode.trim().parse().unwrap()]).unwrap();
        assert_eq!(found, [[python.id()]]);
        drop(python.stdin.take());
        assert!(python.wait().unwrap().success());
    }

    #[test]
    fn what_is_not_looked_at_is_the_kernels_own() {
        for thread in kernel_threads() {
            let status = std::fs::read_to_string(format!("/proc/{thread}/status")).unwrap_or_default();
            assert!(status.is_empty() || status.contains("\nKthread:\t1\n"), "{status}");
        }
        assert!(!kernel_threads().contains(&std::process::id()));
    }

    #[test]
    fn the_calling_process_is_found_in_its_own_namespace() {
        let inode = std::fs::metadata("/proc/self/ns/net").unwrap().ino();
        let [here, nowhere] = processes_in([inode, 0]).unwrap();
        assert!(here.contains(&std::process::id()) && nowhere.is_empty());
    }
}
