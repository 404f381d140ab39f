//! Does each reader stand while libFuzzer searches, guided by coverage, for a few seconds?
//!
//! `BOTTLE_FUZZ` is the program that tests/fuzz/build makes. `BOTTLE_FUZZ_SEED` repeats a search; `BOTTLE_FUZZ_SECONDS`
//! lengthens it, as does tests/fuzz/run.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use bottle_fuzz::{TARGETS, Target};

const SECONDS: &str = "2";

fn seed() -> String {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").subsec_nanos();
    env::var("BOTTLE_FUZZ_SEED").unwrap_or_else(|_| (1 + now()).to_string())
}

fn search(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    let program = env::var_os("BOTTLE_FUZZ").expect("BOTTLE_FUZZ is not set; hint: run tests/run -p bottle-fuzz");
    let found = tempfile::tempdir().expect("a directory");
    let seed = seed();
    println!("{name}: BOTTLE_FUZZ_SEED={seed}");
    let output =
        Command::new(program).args(arguments(target, &seed, found.path())).env("BOTTLE_FUZZ_TARGET", name).output();
    let output = output.expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}", report(target, &seed, &said, found.path()));
    assert!(said.contains("inline 8-bit counters"), "{name}: nothing guides the search\n{said}");
    assert!(said.contains(" cov: "), "{name}: no input reached anything\n{said}");
}

fn arguments(target: &Target, seed: &str, found: &Path) -> Vec<String> {
    let seconds = env::var("BOTTLE_FUZZ_SECONDS").unwrap_or_else(|_| SECONDS.to_owned());
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
    let (new, broken) = (found.join("new"), found.join("broken-"));
    fs::create_dir(&new).expect("a directory");
    vec![
        format!("-max_total_time={seconds}"),
        format!("-seed={seed}"),
        format!("-max_len={}", target.longest),
        format!("-artifact_prefix={}", broken.display()),
        "-timeout=20".into(),
        "-rss_limit_mb=1024".into(),
        "-verbosity=1".into(),
        new.display().to_string(),
        corpus.display().to_string(),
    ]
}

/// What the program said last, and the input: it belongs into the corpus.
fn report(target: &Target, seed: &str, said: &str, found: &Path) -> String {
    let lines: Vec<&str> = said.lines().collect();
    let last = lines[lines.len().saturating_sub(60)..].join("\n");
    let inputs = fs::read_dir(found).expect("the directory").map(|entry| entry.expect("an entry").path());
    let inputs: Vec<String> = inputs
        .filter(|path| path.is_file())
        .map(|path| fs::read(path).expect("an input").escape_ascii().to_string())
        .collect();
    let name = target.name;
    format!("{name}, seed {seed}\n{last}\n\nto be kept below tests/fuzz/corpus/{name}/: {inputs:?}")
}

macro_rules! searched {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            search(stringify!($name));
        })*

        const SEARCHED: &[&str] = &[$(stringify!($name)),*];
    };
}

searched! {
    client_hello connect_head http_answers http_head http_requests dns_answer dns_query canonical_rules names policy
    attestation audit_entries audit_log canonical_json keys netlink_refusals netlink_rules netlink_survey
    netlink_watch git_settings image_archive image_documents image_names registry_challenge channel container engine recorder
    subordinate_ids tpm tunnel_answer
}

#[test]
fn every_target_is_searched() {
    assert!(TARGETS.iter().all(|target| SEARCHED.contains(&target.name)) && SEARCHED.len() == TARGETS.len());
}
