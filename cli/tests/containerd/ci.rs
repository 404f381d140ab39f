//! Does examples/ci run a repository's job behind the runner's policy, and never behind the repository's?

use std::fs;
use std::path::Path;

use crate::machine::EXAMPLES;
use crate::world::{BOTTLE, PATH, Said, World, said, text};

const POLICY: &str = "version: 1\ndomains:\n  - pattern: \"ssh.lab.example\"\n    ports: [22]\n    protocol: tcp\n";

const JOB: &str = "nc ssh.lab.example 22 </dev/null | head -c 15; echo
    nc evil.attacker.example 443 </dev/null 2>/dev/null || echo refused
    exit 7\n";

/// What the runner executes, for a repository that is the world's project.
fn job(world: &World, policy: &Path) -> Said {
    let images = std::env::var("BOTTLE_IMAGES").expect("tests/run says where the images are");
    let mut job = world.program(text(&Path::new(EXAMPLES).join("ci/job")));
    let programs = Path::new(BOTTLE).parent().unwrap();
    job.env("PATH", format!("{}:{PATH}", text(programs))).env("BOTTLE_CI_POLICY", policy);
    job.arg(world.path("project")).arg(world.path("evidence"));
    said(job.args([&format!("oci:{images}/busybox:t"), "sh", "/work/job.sh"]))
}

#[test]
fn a_job_reaches_what_the_runners_policy_names_and_its_exit_code_and_evidence_come_out() {
    let world = World::new();
    fs::write(world.path("ci.yaml"), POLICY).unwrap();
    fs::write(world.project("job.sh"), JOB).unwrap();
    let said = job(&world, &world.path("ci.yaml"));
    assert_eq!((said.code, said.out.as_str()), (7, "SSH-2.0-lab_1.0\nrefused\n"), "{said:?}");
    assert_eq!(world.lab.received("ssh").unwrap().len(), 1);
    assert!(world.path("evidence/audit.jsonl").exists() && world.path("evidence/attestation.json").exists());
}

#[test]
fn a_policy_that_lies_in_the_repository_starts_no_job() {
    let world = World::new();
    fs::write(world.project("ci.yaml"), POLICY).unwrap();
    fs::write(world.project("job.sh"), JOB).unwrap();
    let said = job(&world, &world.project("ci.yaml"));
    assert!(said.refused().contains("ci.yaml") && said.out.is_empty(), "{said:?}");
    assert!(world.lab.received("ssh").unwrap().is_empty());
}
