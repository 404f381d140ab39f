//! What of the shared directory can hurt the host later? It is read-only, covered, or told of.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use crate::world::{World, said};

#[test]
fn what_git_executes_is_read_only() {
    let world = World::new();
    for directory in [".git/hooks", ".git/objects", ".git/refs"] {
        fs::create_dir_all(world.project(directory)).unwrap();
    }
    fs::write(world.project(".git/config"), "[core]\n").unwrap();
    fs::write(world.project(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    let tries = "for try in 'echo x > .git/hooks/pre-commit' 'echo x >> .git/config' 'rm .git/config' \
                 'rm -rf .git/hooks' 'mv .git/hooks elsewhere' 'mv .git elsewhere' 'ln -f .git/HEAD .git/config' \
                 'mount -o remount,rw .git/hooks' 'umount .git/hooks'; \
                 do (eval \"$try\") 2>/dev/null && echo \"did $try\"; done; echo x > .git/index; true";
    assert_eq!(world.shell(tries).ok(), "");
    assert_eq!(fs::read_to_string(world.project(".git/config")).unwrap(), "[core]\n");
    assert_eq!(fs::read_dir(world.project(".git/hooks")).unwrap().count(), 0);
    assert_eq!(fs::read_to_string(world.project(".git/index")).unwrap(), "x\n");
}

#[test]
fn what_git_executes_in_a_nested_repository_is_not_moved_away_with_the_directories_above_it() {
    let world = World::new();
    fs::create_dir_all(world.project("above/below/.git/hooks")).unwrap();
    fs::write(world.project("above/below/.git/HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::write(world.project("above/file"), "kept\n").unwrap();
    let tries = "for try in 'mv above elsewhere' 'mv above/below elsewhere'; \
                 do (eval \"$try\") 2>/dev/null && echo \"did $try\"; done; mv above/file file; cat file";
    assert_eq!(world.shell(tries).ok(), "kept\n");
    assert_eq!(fs::read_dir(world.project("above/below/.git/hooks")).unwrap().count(), 0);
}

#[test]
fn git_says_that_its_settings_are_busy_and_takes_others() {
    let world = World::new();
    assert!(world.program("git").args(["init", "-q"]).status().unwrap().success());
    let said = world.shell("git config user.name me");
    assert!(said.code != 0 && said.err.contains("Device or resource busy"), "{said:?}");
    let global = "git config --global user.name me && git -c user.email=a@b commit -q --allow-empty -m one";
    assert_eq!(world.shell(global).ok(), "");
}

#[test]
fn changed_files_that_the_host_would_execute_are_listed_at_the_end() {
    let world = World::new();
    fs::write(world.project("Makefile"), "all:\n").unwrap();
    fs::write(world.project("build.rs"), "fn main() {}\n").unwrap();
    fs::write(world.project("notes.txt"), "\n").unwrap();
    let script =
        "echo 'all: evil' > Makefile; mkdir -p sub/.husky; echo evil > sub/.husky/pre-commit; echo > notes.txt";
    let said = world.shell(script);
    said.ok();
    let listed: Vec<&str> = said.err.lines().filter(|line| line.starts_with("bottle:   ")).collect();
    assert_eq!(listed.len(), 2, "{said:?}");
    assert!(listed[0].ends_with("/project/Makefile") && listed[1].ends_with("/project/sub/.husky/pre-commit"));
    assert!(said.err.contains("the command changed files that this machine may execute later"), "{said:?}");
}

#[test]
fn what_the_host_would_execute_in_a_submodule_is_read_only() {
    let world = World::new();
    for directory in [".git/modules/sub", "sub/.husky"] {
        fs::create_dir_all(world.project(directory)).unwrap();
    }
    let config = "[core]\n\tworktree = ../../../sub\n\thooksPath = .husky\n";
    fs::write(world.project(".git/modules/sub/config"), config).unwrap();
    fs::write(world.project(".git/modules/sub/HEAD"), "ref: refs/heads/main\n").unwrap();
    let said = world.shell("echo evil > sub/.husky/pre-commit || mv sub elsewhere || mv sub/.husky elsewhere");
    assert_ne!(said.code, 0, "{said:?}");
    assert_eq!(fs::read_dir(world.project("sub/.husky")).unwrap().count(), 0);
}

#[test]
fn hooks_that_the_settings_name_and_nobody_has_made_can_not_be_made_inside() {
    let world = World::new();
    fs::create_dir(world.project(".git")).unwrap();
    fs::write(
        world.project(".git/config"),
        "[core]\n\thooksPath = .husky/_\n[include]\n\tpath = more\n\tpath = ../.gitmore\n",
    )
    .unwrap();
    fs::create_dir(world.project("closed")).unwrap();
    fs::write(world.project(".gitmore"), "[core]\n\thooksPath = closed\n\thooksPath = closed/within\n").unwrap();
    let said = world.shell("mkdir -p .husky/_ || echo x > .git/more || rmdir .husky || mkdir closed/within");
    assert_ne!(said.code, 0, "{said:?}");
    assert_eq!(fs::read_dir(world.project(".husky")).unwrap().count(), 0);
    assert_eq!(fs::read_to_string(world.project(".git/more")).unwrap(), "");
}

#[test]
fn a_new_repository_whose_hooks_lie_behind_a_link_is_listed() {
    let world = World::new();
    let said = world.shell(
        "mkdir -p sub/.git/objects sub/.git/refs evil; echo 'ref: refs/heads/x' > sub/.git/HEAD; \
         ln -s ../../evil sub/.git/hooks; touch evil/post-index-change",
    );
    for listed in ["/sub/.git\n", "/sub/.git/hooks\n", "/sub/.git/hooks/post-index-change\n"] {
        assert!(said.err.contains(listed), "{listed}: {}", said.err);
    }
}

#[test]
fn settings_that_a_repository_has_in_another_directory_are_listed_and_closed_to_the_next_run() {
    let world = World::new();
    let make = "mkdir -p sub/.git data/objects data/refs && echo 'ref: refs/heads/x' > sub/.git/HEAD && \
                echo ../../data > sub/.git/commondir";
    let write = "printf '[core]\\n\\tfsmonitor = touch executed; false\\n' > data/config";
    let said = world.shell(&format!("{make}; {write}; rm data/config"));
    assert!(said.err.contains("/sub/.git/commondir\n") && !said.err.contains("/data/config"), "{said:?}");
    fs::remove_dir_all(world.project("sub")).unwrap();
    let said = world.shell(&format!("{make}; {write}"));
    assert!(said.err.contains("/data/config\n"), "{said:?}");
    fs::remove_file(world.project("data/config")).unwrap();
    assert_ne!(world.shell(write).code, 0);
    world.program("git").args(["-C", "sub", "status"]).output().unwrap();
    assert!(!world.project("sub/executed").exists());
}

#[test]
fn decoys_neither_bury_what_matters_nor_make_the_list_end() {
    let world = World::new();
    fs::write(world.project("package.json"), "{}\n").unwrap();
    let said = world
        .shell("seq -f '!%g/M' 2000 | xargs mkdir -p; seq -f '!%g/M/Makefile' 2000 | xargs touch; echo > package.json");
    let lines: Vec<&str> = said.err.lines().collect();
    assert!(lines.len() < 120 && lines[1].ends_with("/project/package.json"), "{lines:?}");
    let (_, list) = lines[0].split_once("(all in ").expect("where all of it is");
    let list = fs::read_to_string(list.trim_end_matches("):")).unwrap();
    assert_eq!(list.lines().count(), 2001);
    assert!(list.lines().any(|line| line.ends_with("/project/!1999/M/Makefile\"")), "{list}");
}

#[test]
fn a_changed_file_that_is_a_volume_and_one_in_a_shared_directory_of_workflows_are_listed() {
    let world = World::new();
    fs::create_dir_all(world.project(".github/workflows")).unwrap();
    fs::write(world.project("Makefile"), "all:\n").unwrap();
    let mut command = world.run(&["-v", "../../Makefile:/m", "host", "--", "sh", "-c", "echo evil | tee /m > ci.yml"]);
    let said = said(command.current_dir(world.project(".github/workflows")));
    for name in ["/project/Makefile\n", "/.github/workflows/ci.yml\n"] {
        assert!(said.err.contains(name), "{name}: {said:?}");
    }
}

#[test]
fn a_list_of_changed_files_that_may_lack_some_says_so() {
    let world = World::new();
    let said = world.shell("seq -f %g.mk 20001 | xargs touch");
    said.ok();
    assert!(said.err.contains("not all files that the command changed and this machine may execute later are told: there are more than 20000"), "{}", said.err.len());
}

#[test]
fn more_fifos_than_can_be_covered_keep_nothing_from_saying_what_helps() {
    let world = World::new();
    world.shell("mkdir f; mkfifo $(seq -f f/%g 300)").ok();
    let refused = world.shell("true");
    let complaint = refused.refused();
    assert!(complaint.contains("256 sockets, FIFOs") && complaint.contains("-type p -delete"), "{complaint}");
}

#[test]
fn a_run_that_changes_nothing_of_the_kind_says_nothing() {
    let world = World::new();
    fs::write(world.project("Makefile"), "all:\n").unwrap();
    assert_eq!(world.shell("echo > notes; cat Makefile >/dev/null").err, "");
}

#[test]
fn a_socket_in_the_shared_directory_leads_nowhere() {
    let world = World::new();
    let listener = UnixListener::bind(world.project("agent.sock")).unwrap();
    listener.set_nonblocking(true).unwrap();
    let connect = "import socket\n\
                   for way in 'agent.sock', './agent.sock', '/proc/self/cwd/agent.sock':\n\
                   \x20s = socket.socket(socket.AF_UNIX)\n\
                   \x20try: s.connect(way); print('connected', way)\n\
                   \x20except OSError: pass\n";
    let mut command = world.run(&["host", "--", "python3", "-c", connect]);
    assert_eq!(said(&mut command).ok(), "");
    assert!(listener.accept().is_err());
}

/// What an earlier run may leave behind: a directory that only its owner, which the workload is, can open again.
#[test]
fn what_lies_in_a_closed_directory_is_out_of_reach_when_it_is_opened_again() {
    let world = World::new();
    for directory in ["run", "d/r/.git"] {
        fs::create_dir_all(world.project(directory)).unwrap();
    }
    fs::write(world.project("d/r/.git/config"), "[core]\n").unwrap();
    let listener = UnixListener::bind(world.project("run/daemon.sock")).unwrap();
    listener.set_nonblocking(true).unwrap();
    for directory in ["run", "d"] {
        fs::set_permissions(world.project(directory), fs::Permissions::from_mode(0o300)).unwrap();
    }
    let script = "import os, socket\n\
                  for directory in 'run', 'd':\n\
                  \x20try: os.chmod(directory, 0o700)\n\
                  \x20except OSError: pass\n\
                  try: socket.socket(socket.AF_UNIX).connect('run/daemon.sock'); print('connected')\n\
                  except OSError: pass\n\
                  try: open('d/r/.git/config', 'a').write('[alias]'); print('wrote')\n\
                  except OSError: pass\n";
    let said = said(&mut world.run(&["host", "--", "python3", "-c", script]));
    let modes = ["run", "d"].map(|name| fs::set_permissions(world.project(name), fs::Permissions::from_mode(0o700)));
    assert!(modes.iter().all(Result::is_ok));
    assert_eq!(said.ok(), "");
    assert!(listener.accept().is_err());
    assert_eq!(fs::read_to_string(world.project("d/r/.git/config")).unwrap(), "[core]\n");
}

#[test]
fn what_lies_deeper_than_a_path_can_say_is_refused() {
    let world = World::new();
    let make = "import os\nfor _ in range(18): os.mkdir('d' * 250); os.chdir('d' * 250)\nos.mkfifo('door')";
    said(world.program("python3").args(["-c", make])).ok();
    let said = world.shell("echo ran");
    assert!(said.refused().contains("longer than") && said.err.contains("hint:"), "{said:?}");
}

#[test]
fn settings_that_are_no_plain_file_keep_no_start_waiting() {
    let world = World::new();
    for repository in ["fifo", "endless"] {
        fs::create_dir_all(world.project(repository).join(".git")).unwrap();
    }
    said(world.program("mkfifo").arg("fifo/.git/config")).ok();
    std::os::unix::fs::symlink("/dev/zero", world.project("endless/.git/config")).unwrap();
    assert_eq!(world.start(&["host", "--", "echo", "ran"]).end().ok(), "ran\n");
}

#[test]
fn a_volume_that_an_earlier_run_made_a_link_is_refused() {
    let world = World::new();
    fs::write(world.path("home/id_rsa"), "secret\n").unwrap();
    fs::create_dir(world.project("cache")).unwrap();
    let steal = ["-v", "./cache:/cache", "host", "--", "sh", "-c", "cat /cache/id_rsa; rmdir cache 2>/dev/null; true"];
    assert_eq!(said(&mut world.run(&steal)).ok(), "");
    world.shell("rm -rf cache && ln -s ../home cache").ok();
    let again = said(&mut world.run(&steal));
    assert!(again.refused().contains("leads through a link") && again.err.contains("hint:"), "{again:?}");
}

#[test]
fn no_file_of_the_project_becomes_set_user_id() {
    let world = World::new();
    let script = "cp /bin/true tool; chmod 4755 tool; chmod u+s,g+s tool; python3 -c \"import os; \
                  os.close(os.open('made', os.O_CREAT | os.O_WRONLY, 0o4755))\"; \
                  install -m 6755 /bin/true installed; ls >/dev/null";
    let said = world.shell(script);
    said.ok();
    for entry in fs::read_dir(world.path("project")).unwrap().flatten() {
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o6000, 0, "{entry:?} {said:?}");
    }
}
