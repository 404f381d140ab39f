//! Do the examples do what they say, as whoever runs them? In the sealed lab; see `tests/run`.

use std::path::PathBuf;
use std::process::Output;

use bottle_lab::{Lab, Options};

const MAIN: &str = env!("CARGO_BIN_EXE_in-a-bottle");
const EVIDENCE: &str = env!("CARGO_BIN_EXE_evidence-of");

struct Place {
    lab: Lab,
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        bottle_lab::require();
        let place = Place {
            lab: Lab::start(Options::default()).expect("a lab"),
            directory: tempfile::tempdir().expect("a directory"),
        };
        std::fs::create_dir(place.path("project")).expect("a directory");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn run(&self, program: &str, words: &[&str]) -> Output {
        let mut command = self.lab.command(program);
        command.args(words).current_dir(self.path("project")).env("BOTTLE_ROOT", self.path("state"));
        command.output().expect("the built example")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_commands_exit_code_is_the_programs() {
    let place = Place::new();
    let policy = place.path("agent.yaml");
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/../policies/agent.yaml"), &policy).expect("the example policy");
    let ran = place.run(MAIN, &[policy.to_str().expect("UTF-8"), "/bin/sh", "-c", "echo inside; echo >&2 too; exit 7"]);
    assert_eq!((ran.status.code(), text(&ran.stdout), text(&ran.stderr)), (Some(7), "inside\n".into(), "too\n".into()));
}

#[test]
fn a_policy_that_the_command_could_write_is_an_error_that_says_so() {
    let place = Place::new();
    std::fs::write(place.path("project/p.yaml"), "version: 1\n").expect("a policy");
    let refused = place.run(MAIN, &["p.yaml", "true"]);
    assert!(!refused.status.success() && text(&refused.stderr).contains("p.yaml"), "{refused:?}");
}

#[test]
fn output_is_kept_and_the_evidence_is_verified_in_the_same_program() {
    let place = Place::new();
    let script =
        "curl -sS https://api.allowed.example/bytes/3 | wc -c; curl -sS https://evil.attacker.example/; exit 3";
    let ran = place.run(EVIDENCE, &["sh", "-c", script]);
    let said = text(&ran.stdout);
    assert_eq!(ran.status.code(), Some(3), "{said}{}", text(&ran.stderr));
    assert!(said.starts_with("it wrote \"3\\n\" and \"curl: (6)"), "{said}");
    for expected in
        ["started behind attestation", "Allow api.allowed.example:443\n", "no address for evil.attacker.example\n"]
    {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let evil = |name: &str| name.contains("attacker");
    assert!(!place.lab.dns_queries().expect("the lab").iter().any(|query| evil(&query.name)));
}
