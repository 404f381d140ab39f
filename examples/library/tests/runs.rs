//! Does the example run a command, and pass its exit code on?

use std::process::Command;

#[test]
fn the_commands_exit_code_is_the_programs() {
    bottle_lab::require();
    let place = tempfile::tempdir().expect("a directory");
    let (project, root) = (place.path().join("project"), place.path().join("state"));
    std::fs::create_dir(&project).expect("a directory");
    let policy = place.path().join("agent.yaml");
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/../policies/agent.yaml"), &policy).expect("the example policy");
    let ran = Command::new(env!("CARGO_BIN_EXE_in-a-bottle"))
        .arg(&policy)
        .args(["/bin/sh", "-c", "echo inside; exit 7"])
        .current_dir(&project)
        .env("BOTTLE_ROOT", &root)
        .output()
        .expect("the built example");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!((ran.status.code(), &ran.stdout[..]), (Some(7), &b"inside\n"[..]), "{said}");
    assert!(said.contains("audit.jsonl"), "{said}");
}
