//! What does the host's /proc say? Read by a test of what it started.

use std::collections::BTreeSet;
use std::fs;

/// All processes.
pub fn processes() -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// One field of /proc/PID/status.
pub fn status(pid: u32, field: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':').map(str::to_owned))?;
    Some(line.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The processes whose parent this is, oldest first.
pub fn children(pid: u32) -> Vec<u32> {
    let parent = pid.to_string();
    let mut children: Vec<u32> =
        processes().into_iter().filter(|child| status(*child, "PPid").as_ref() == Some(&parent)).collect();
    children.sort_unstable();
    children
}

/// The first argument, which for bottle's helpers is their role.
pub fn first_argument(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

/// What the entries of a directory of links lead to: `net:[4026531840]`, `socket:[17]`, paths.
pub fn links(directory: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(fs::read_link(entry.path()).ok()?.to_str()?.to_owned())).collect()
}

/// Whether the tests run as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
