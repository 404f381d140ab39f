//! Which processes live in a network namespace? All of /proc is looked through: who enters one must be seen.

use std::io;
use std::os::unix::fs::MetadataExt;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};

/// The ids of all visible processes whose network namespace has this inode number, in order.
///
/// A process whose namespaces the caller may not see belongs to another user, who can't enter a namespace of ours
/// without being root; one that ends meanwhile is in no namespace any more.
pub(super) fn processes_in(inode: u64) -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if std::fs::metadata(entry.path().join("ns/net")).is_ok_and(|namespace| namespace.ino() == inode) {
            found.push(pid);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The same, when the children of `init` that are on their way out have gone: the probing processes are, and the kernel
/// takes its time over closing their packet sockets. `ours` are those that stay.
pub(super) fn settled_processes_in(inode: u64, init: u32, ours: &[u32]) -> io::Result<Vec<u32>> {
    loop {
        let found = processes_in(inode)?;
        let leaving = found.iter().find(|pid| !ours.contains(pid) && parent(**pid) == Some(init));
        match leaving {
            Some(pid) if ends_in_time(*pid)? => {}
            _ => return Ok(found),
        }
    }
}

fn parent(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

fn ends_in_time(pid: u32) -> io::Result<bool> {
    const PATIENCE: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };
    let Some(id) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(true) };
    let Ok(pidfd) = rustix::process::pidfd_open(id, PidfdFlags::empty()) else { return Ok(true) };
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
    Ok(rustix::event::poll(&mut fds, Some(&PATIENCE))? > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_on_its_way_out_is_waited_for_and_others_are_not() {
        let inode = std::fs::metadata("/proc/self/ns/net").unwrap().ino();
        let own = std::process::id();
        // It ends when its standard input does, which is when this side looks for it.
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        let input = child.stdin.take();
        let looking = std::thread::spawn(move || settled_processes_in(inode, own, &[own]));
        assert!(processes_in(inode).unwrap().contains(&pid));
        drop(input);
        child.wait().unwrap();
        assert!(!looking.join().unwrap().unwrap().contains(&pid));
    }

    #[test]
    fn the_calling_process_is_found_in_its_own_namespace() {
        let inode = std::fs::metadata("/proc/self/ns/net").unwrap().ino();
        assert!(processes_in(inode).unwrap().contains(&std::process::id()));
    }
}
