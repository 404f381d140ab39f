//! Does every input that is kept still hold? The seeds, and each input that once broke something.

use std::fs;
use std::path::{Path, PathBuf};

use bottle_fuzz::{Reading, TARGETS, Target};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn inputs(target: &Target) -> Vec<PathBuf> {
    let folder = fs::read_dir(corpus().join(target.name)).expect("a target has a folder");
    folder.map(|entry| entry.expect("an entry").path()).collect()
}

fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).expect("a target")
}

/// Each input by itself, and each cut short: what is seldom whole is never a panic.
fn replay(name: &str) {
    let target = target(name);
    let readings: Vec<Reading> = inputs(target)
        .iter()
        .map(|path| {
            let bytes = fs::read(path).expect("an input");
            println!("{name}: {}", path.display());
            (0..bytes.len()).step_by(bytes.len() / 16 + 1).for_each(|end| {
                target.judge(&bytes[..end]);
            });
            target.judge(&bytes)
        })
        .collect();
    for reading in [Reading::Accepted, Reading::Refused] {
        assert!(readings.contains(&reading), "{name}: no input of the corpus is {reading:?}");
    }
}

macro_rules! replayed {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*

        const REPLAYED: &[&str] = &[$(stringify!($name)),*];
    };
}

replayed! {
    client_hello connect_head http_answers http_head http_requests dns_answer dns_query canonical_rules names policy
    attestation audit_entries audit_log canonical_json keys netlink_refusals netlink_rules netlink_survey
    netlink_watch git_settings image_archive image_documents image_names registry_challenge channel container engine recorder
    subordinate_ids tpm tunnel_answer
}

#[test]
fn every_target_is_replayed_and_has_a_folder_and_nothing_else_has() {
    let mut names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    names.sort_unstable();
    let mut replayed = REPLAYED.to_vec();
    replayed.sort_unstable();
    assert_eq!(names, replayed);
    let folders = fs::read_dir(corpus()).expect("the corpus").map(|entry| entry.expect("an entry").file_name());
    let mut folders: Vec<String> = folders.map(|name| name.into_string().expect("a name")).collect();
    folders.sort_unstable();
    assert_eq!(names, folders);
}

#[test]
fn every_input_is_short_enough_to_be_searched_from() {
    for target in TARGETS {
        for path in inputs(target) {
            let length = fs::metadata(&path).expect("an input").len();
            assert!(length <= target.longest as u64, "{} has {length} bytes of {}", path.display(), target.longest);
        }
    }
}
