//! What does the workload leave behind for those who look at, or work in, its directory afterwards?

use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Stdio;

use rustix::fs::{OFlags, fcntl_getfl};

use crate::victim::Victim;

const MARK: &str = "executed";

/// A repository at the top whose settings git on the host obeys.
fn repository(victim: &Victim) {
    let git = victim.on_host(Path::new("git")).args(["init", "-q", "."]).status().unwrap();
    assert!(git.success());
}

/// Whether `git status` on the host executes what the workload wrote.
fn git_executes(victim: &Victim) -> bool {
    victim.on_host(Path::new("git")).arg("status").output().unwrap();
    victim.project().join(MARK).exists()
}

#[test]
fn a_common_directory_named_by_the_workload_is_none_to_the_hosts_git() {
    let victim = Victim::new();
    repository(&victim);
    let run = victim.shell(&format!(
        "mkdir evil && cp -r .git/objects .git/refs evil/ && cp .git/config evil/config
        printf '[core]\n\tfsmonitor = \"touch {MARK}; false\"\n' >> evil/config
        echo ../evil > .git/commondir || echo refused"
    ));
    assert_eq!(run.out, "refused\n", "{run:?}");
    assert!(!git_executes(&victim));
}

#[test]
fn settings_of_a_work_tree_can_not_be_added_where_the_repository_has_them_on() {
    let victim = Victim::new();
    repository(&victim);
    let on = ["config", "extensions.worktreeConfig", "true"];
    assert!(victim.on_host(Path::new("git")).args(on).status().unwrap().success());
    let settings = format!("[core]\n\tfsmonitor = \"touch {MARK}; false\"\n");
    let run = victim.shell(&format!("echo '{settings}' > .git/config.worktree || echo refused"));
    assert_eq!(run.out, "refused\n", "{run:?}");
    assert!(!git_executes(&victim));
}

#[test]
fn git_works_on_the_host_after_a_run_as_before() {
    let victim = Victim::new();
    repository(&victim);
    let run = victim.shell("git status --short");
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    for arguments in
        ["status", "-c user.name=x -c user.email=x commit -q --allow-empty -m x", "worktree add ../other", "fsck"]
    {
        let output = victim.on_host(Path::new("git")).args(arguments.split(' ')).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn the_name_of_a_file_makes_no_line_of_its_own() {
    let victim = Victim::new();
    let run = victim.shell("mkdir .github && touch \"$(printf '.github/a\\nbottle: nothing was changed')\"");
    assert!(run.err.contains(r".github/a\nbottle: nothing was changed"), "{run:?}");
    assert!(!run.err.lines().any(|line| line == "bottle: nothing was changed"), "{run:?}");
}

#[test]
fn a_stream_does_not_become_non_blocking_for_those_who_share_it() {
    let victim = Victim::new();
    let script = "import fcntl, os\nfor fd in 0, 1, 2: fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK)";
    let mut command = victim.command(&["python3", "-c", script]);
    let (mut read, write) = std::io::pipe().unwrap();
    let (input, _kept) = std::io::pipe().unwrap();
    let [output, error] = [write.try_clone().unwrap(), write.try_clone().unwrap()];
    let status = command.stdin(Stdio::from(input.try_clone().unwrap())).stdout(output).stderr(error).status();
    drop(command);
    assert!(status.unwrap().success());
    for stream in [input.as_fd(), write.as_fd()] {
        assert!(!fcntl_getfl(stream).unwrap().contains(OFlags::NONBLOCK));
    }
    drop(write);
    read.read_to_end(&mut Vec::new()).unwrap();
}
