//! Which attempts are code? One file each; its folder is its class.

mod evidence;
mod families;
mod hello;
mod host;
mod ipc;
mod kernel;
mod link;
mod mounts;
mod names;
mod neighbour;
mod network;
mod processes;
mod scan;
mod settings;
mod shared;
mod transport;
mod tricks;

use crate::attempt::Attempt;

/// Each class: its folder and what is in it.
#[rustfmt::skip]
const CLASSES: &[(&str, &[Attempt])] = &[
    ("evidence", evidence::ALL),
    ("families", families::ALL),
    ("hello", hello::ALL),
    ("host", host::ALL),
    ("ipc", ipc::ALL),
    ("kernel", kernel::ALL),
    ("link", link::ALL),
    ("mounts", mounts::ALL),
    ("names", names::ALL),
    ("neighbour", neighbour::ALL),
    ("network", network::ALL),
    ("processes", processes::ALL),
    ("scan", scan::ALL),
    ("settings", settings::ALL),
    ("shared", shared::ALL),
    ("transport", transport::ALL),
    ("tricks", tricks::ALL),
];

/// All attempts in code.
pub(crate) fn all() -> impl Iterator<Item = &'static Attempt> {
    CLASSES.iter().flat_map(|(_, attempts)| attempts.iter())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// The names in a folder, without mod.rs and endings, with dashes.
    fn listed(folder: &str) -> Vec<String> {
        let path = format!("{}/src/attempts/{folder}", env!("CARGO_MANIFEST_DIR"));
        let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = entries
            .filter(|name| name != "mod.rs")
            .map(|name| name.trim_end_matches(".rs").replace('_', "-"))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn each_file_is_registered_under_its_own_name_and_folder() {
        let classes: Vec<&str> = CLASSES.iter().map(|(class, _)| *class).collect();
        assert_eq!(listed(""), classes);
        for (class, attempts) in CLASSES {
            let mut ids: Vec<&str> = attempts.iter().map(|attempt| attempt.id).collect();
            ids.sort_unstable();
            assert_eq!(listed(class), ids, "in {class}");
            assert!(attempts.iter().all(|attempt| attempt.class == *class), "{class}");
        }
    }
}
