//! Can this crate be trusted to reach for nothing: no netlink, no async runtime, no other crate of ours?

use std::collections::{BTreeMap, BTreeSet};

const LOCK: &str = include_str!("../../Cargo.lock");

/// The direct dependencies of each package, by name, as Cargo.lock lists them.
fn packages() -> BTreeMap<&'static str, Vec<&'static str>> {
    let quoted = |line: &'static str| line.split('"').nth(1);
    let package = |text: &'static str| {
        let name = text.lines().find_map(|line| line.strip_prefix("name = ")).and_then(quoted)?;
        let listed = text.split_once("dependencies = [").map_or("", |(_, listed)| listed);
        let names = listed.lines().filter_map(quoted).filter_map(|entry| entry.split(' ').next());
        Some((name, names.collect()))
    };
    LOCK.split("[[package]]").filter_map(package).collect()
}

#[test]
fn nothing_below_this_crate_talks_to_the_kernel_or_runs_tasks() {
    let packages = packages();
    let (mut found, mut open) = (BTreeSet::new(), vec!["bottle-evidence"]);
    while let Some(name) = open.pop() {
        if found.insert(name) {
            open.extend(packages.get(name).into_iter().flatten());
        }
    }
    assert!(found.contains("ed25519-dalek"), "Cargo.lock was not understood");
    let unwanted = |name: &&&str| {
        let others = name.starts_with("bottle-") && **name != "bottle-evidence";
        others || ["netlink", "tokio", "mio", "async"].iter().any(|word| name.contains(word))
    };
    let unwanted: Vec<_> = found.iter().filter(unwanted).collect();
    assert!(unwanted.is_empty(), "{unwanted:?}");
}
