//! How is each test run in a process of its own, as root and as an ordinary user?

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use nix::unistd::geteuid;

/// A test: its claim and its body.
pub(crate) type Test = (&'static str, fn());

/// An id that needs no entry in /etc/passwd.
const ORDINARY: u32 = 4242;

/// The variable that makes this binary run one test.
const RUN: &str = "BOTTLE_NETNS_TEST";

pub(crate) fn main(groups: &[&[Test]]) -> ExitCode {
    let tests = || groups.iter().flat_map(|group| group.iter());
    if let Ok(wanted) = std::env::var(RUN) {
        let (_, body) = tests()
            .chain([&crate::handover::BUILDER])
            .find(|(name, _)| *name == wanted)
            .expect("the test was named by this binary");
        body();
        return ExitCode::SUCCESS;
    }
    let filters: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()));
    let chosen: Vec<&Test> = tests().filter(|(name, _)| wanted(name)).collect();
    if std::env::args().any(|argument| argument == "--list") {
        chosen.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    run(&chosen)
}

/// Makes a command that runs this binary do one thing of it.
pub(crate) fn myself(command: &mut Command, name: &str) {
    command.env(RUN, name).env("RUST_BACKTRACE", "0");
}

fn run(tests: &[&Test]) -> ExitCode {
    let folder = tempfile::tempdir().expect("a folder for a copy of this binary");
    let program = readable_copy(folder.path());
    let users: &[u32] = if geteuid().is_root() { &[0, ORDINARY] } else { &[ORDINARY] };
    let (mut passed, mut failed) = (0, 0);
    println!("\nrunning {} tests", tests.len() * users.len());
    for (name, _) in tests {
        for user in users {
            let who = if *user == 0 { "root" } else { "an ordinary user" };
            let mut command = Command::new(&program);
            myself(&mut command, name);
            if geteuid().is_root() && *user != 0 {
                command.uid(*user).gid(*user);
            }
            let output = command.output().expect("this binary runs again");
            if output.status.success() {
                passed += 1;
                println!("test {name} (as {who}) ... ok");
            } else {
                failed += 1;
                println!("test {name} (as {who}) ... FAILED: {}", output.status);
            }
            let said = [output.stdout, output.stderr].concat();
            if !output.status.success() || std::env::args().any(|argument| argument == "--nocapture") {
                println!("{}", String::from_utf8_lossy(&said));
            }
        }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out\n");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The build folder may lie where an ordinary user cannot look.
fn readable_copy(folder: &Path) -> PathBuf {
    let program = folder.join("airlock");
    let all = |mode| fs::Permissions::from_mode(mode);
    fs::set_permissions(folder, all(0o755)).expect("the folder is ours");
    fs::copy(std::env::current_exe().expect("this binary has a path"), &program).expect("room for a copy");
    fs::set_permissions(&program, all(0o755)).expect("the copy is ours");
    program
}
