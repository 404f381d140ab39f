//! Which processes live in a network namespace? All of /proc is looked through: who enters one must be seen.

use std::io;
use std::os::unix::fs::MetadataExt;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calling_process_is_found_in_its_own_namespace() {
        let inode = std::fs::metadata("/proc/self/ns/net").unwrap().ino();
        assert!(processes_in(inode).unwrap().contains(&std::process::id()));
    }
}
