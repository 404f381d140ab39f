//! Which processes belong to a bottle, and what do they weigh?

use std::collections::BTreeMap;
use std::fs;
use std::io;

/// A process and all that descend from it, from /proc.
pub(crate) fn descendants(first: u32) -> io::Result<Vec<u32>> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process that ended meanwhile has no parent.
        if let Some(parent) = parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let (mut found, mut at) = (vec![first], 0);
    while let Some(pid) = found.get(at).copied() {
        found.extend(children.remove(&pid).unwrap_or_default());
        at += 1;
    }
    Ok(found)
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// The name of its program, as the kernel has it.
pub(crate) fn name(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

/// What it was started as.
pub(crate) fn first_argument(pid: u32) -> String {
    let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split('\0').next().unwrap_or_default().to_owned()
}

/// What a process weighs in KiB: a page that several map counts for each in part.
pub(crate) struct Weight {
    /// Its proportional set size.
    pub(crate) proportional: u64,
    /// The part of it that is shared memory, which memory files are too.
    pub(crate) of_shared_memory: u64,
}

/// Only root, or who may trace the process, is told.
pub(crate) fn weight(pid: u32) -> io::Result<Weight> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let kib = |name: &str| {
        let line = rollup.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let number = line.and_then(|line| line.trim().strip_suffix("kB")).and_then(|number| number.trim().parse().ok());
        number.ok_or(io::ErrorKind::InvalidData)
    };
    Ok(Weight { proportional: kib("Pss")?, of_shared_memory: kib("Pss_Shmem")? })
}

/// Anonymous memory files that a process holds open, in KiB: they weigh also where no one maps them.
pub(crate) fn memory_files_kib(pid: u32) -> io::Result<BTreeMap<u64, u64>> {
    use std::os::unix::fs::MetadataExt;
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        let path = entry?.path();
        let is_memory = fs::read_link(&path).is_ok_and(|target| target.to_string_lossy().starts_with("/memfd:"));
        if let (true, Ok(file)) = (is_memory, fs::metadata(&path)) {
            files.insert(file.ino(), file.blocks() / 2);
        }
    }
    Ok(files)
}

/// What of a process's proportional set, in KiB, are pages of this program's file. By its number: one with an empty root sees no path.
pub(crate) fn of_program_kib(pid: u32, program: &std::path::Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let program = fs::metadata(program)?.ino().to_string();
    let (mut is_programs, mut sum) = (false, 0);
    for line in fs::read_to_string(format!("/proc/{pid}/smaps"))?.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words[..] {
            // A mapping begins with its addresses: addresses rights offset device inode path.
            [addresses, _, _, _, inode, ..] if addresses.contains('-') => is_programs = inode == program,
            ["Pss:", kib, "kB"] if is_programs => sum += kib.parse::<u64>().map_err(io::Error::other)?,
            _ => {}
        }
    }
    Ok(sum)
}

/// Nanoseconds that all threads of a process have been on a processor (proc_pid_schedstat, first field).
pub(crate) fn on_processor(pid: u32) -> io::Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = match fs::read_to_string(thread?.path().join("schedstat")) {
            // One that has ended meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            text => text?,
        };
        let first = text.split_ascii_whitespace().next().unwrap_or_default();
        sum += first.parse::<u64>().map_err(io::Error::other)?;
    }
    Ok(sum)
}
