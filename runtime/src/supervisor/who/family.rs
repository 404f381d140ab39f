//! Which children does a process have? As the kernel lists them for each of its threads.

use super::Search;

/// What reading a list of children weighs, in descriptors looked at.
const WEIGHT: u32 = 4;

/// Those of all threads. None of a process that is gone, or where the kernel keeps no such lists.
pub(super) fn children(pid: u32, search: &mut Search) -> Vec<u32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let mut children = Vec::new();
    for thread in threads.flatten() {
        if !search.spend(WEIGHT) {
            break;
        }
        let list = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        children.extend(list.split_ascii_whitespace().filter_map(|child| child.parse::<u32>().ok()));
    }
    children
}
