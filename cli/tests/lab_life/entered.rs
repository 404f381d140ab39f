//! Does `exec` enter the same bottle under the same confinement, recorded and measured, and never a wider one?

use std::fs;
use std::io::Write;
use std::process::{Child, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::detached::Detached;
use crate::host;
use crate::running::{Held, Processes, Running};
use crate::world::{LIMIT, Said, World, said};

/// `bottle exec` of this command in this bottle.
fn exec(world: &World, bottle: &Detached<'_>, words: &[&str]) -> Said {
    said(&mut world.bottle(&[&["exec", &bottle.id], words].concat()))
}

pub fn shell(world: &World, bottle: &Detached<'_>, script: &str) -> Said {
    exec(world, bottle, &["--", "sh", "-c", script])
}

/// A bottle that waits, with its first process in place.
fn waiting(world: &World) -> Detached<'_> {
    let bottle = Detached::shell(world, "echo ready; sleep 1000");
    bottle.wait_for("ready");
    bottle
}

/// `bottle exec` that goes on.
fn start(world: &World, bottle: &Detached<'_>, script: &str) -> Child {
    let mut command = world.bottle(&["exec", &bottle.id, "--", "bash", "-c", script]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn entries(bottle: &Detached<'_>, kind: &str) -> Vec<Value> {
    let seen = bottle.inspect();
    let all = crate::world::entries(std::path::Path::new(seen["audit"].as_str().unwrap()));
    all.into_iter().filter(|entry| entry["kind"] == kind).collect()
}

#[test]
fn its_exit_code_streams_and_environment_are_its_own() {
    let world = World::new();
    let bottle = waiting(&world);
    let said = shell(&world, &bottle, "echo out; echo err >&2; pwd; exit 7");
    let project = world.path("project").canonicalize().unwrap();
    assert_eq!((said.code, said.out, said.err.as_str()), (7, format!("out\n{}\n", project.display()), "err\n"));
    let mut child = start(&world, &bottle, "wc -c");
    child.stdin.take().unwrap().write_all(&vec![b'x'; 1_000_000]).unwrap();
    assert_eq!(Said::from(child.wait_with_output().unwrap()).ok().trim(), "1000000");
    let mut with_options = world.bottle(&["exec", "-e", "A=1", "-w", "/tmp", &bottle.id, "sh", "-c", "echo $A; pwd"]);
    assert_eq!(crate::world::said(&mut with_options).ok(), "1\n/tmp\n");
    assert_eq!(shell(&world, &bottle, "kill -SEGV $$").code, 139);
}

#[test]
fn what_can_not_be_executed_has_the_codes_that_run_has() {
    let world = World::new();
    let bottle = waiting(&world);
    std::fs::write(world.project("text"), "no program\n").unwrap();
    for (words, code) in [(&["no-such-program"][..], 127), (&["./text"], 126), (&["/tmp"], 126)] {
        let said = exec(&world, &bottle, words);
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{said:?}");
        assert!(said.err.starts_with("bottle: "), "{said:?}");
    }
    let nowhere = said(&mut world.bottle(&["exec", "-w", "/nowhere", &bottle.id, "true"]));
    assert!(nowhere.refused().contains("/nowhere"));
    said(&mut world.bottle(&["exec", "nobody", "true"])).refused();
    let misused = said(&mut world.bottle(&["exec", &bottle.id]));
    assert!(misused.code == 125 && misused.err.contains("no command was given"), "{misused:?}");
    said(&mut world.bottle(&["stop", "-t", "0", &bottle.id])).ok();
    assert!(exec(&world, &bottle, &["true"]).refused().contains("has ended: "));
}

/// What /proc says of a process, as far as it is its confinement.
fn confinement(pid: u32) -> Vec<(String, String)> {
    let fields = [
        "Uid",
        "Gid",
        "Groups",
        "CapInh",
        "CapPrm",
        "CapEff",
        "CapBnd",
        "CapAmb",
        "NoNewPrivs",
        "Seccomp",
        "Seccomp_filters",
    ];
    let status = fields.map(|field| (field.to_owned(), host::status(pid, field).unwrap()));
    let namespaces = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts", "time"].map(|kind| {
        let link = std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
        (kind.to_owned(), link.display().to_string())
    });
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap();
    let whole = ["uid_map", "gid_map", "limits", "mountinfo", "cgroup"].map(|name| (name.to_owned(), read(name)));
    status.into_iter().chain(namespaces).chain(whole).collect()
}

#[test]
fn it_is_confined_exactly_as_the_first_process_is() {
    let world = World::new();
    let bottle = waiting(&world);
    let first = Processes::of(bottle.supervisor().pid);
    let mut child = start(&world, &bottle, "echo ready; read -r forever");
    wait_for_line(&mut child, "ready");
    // The supervisor's youngest child, since the entering process is gone.
    let entered = *host::children(bottle.supervisor().pid).last().unwrap();
    assert_eq!(confinement(entered), confinement(first.workload.pid));
    let open = host::links(&format!("/proc/{entered}/fd"));
    assert!(open.iter().all(|file| file.starts_with("pipe:[")) && open.len() == 3, "{open:?}");
    let names: Vec<String> = host::children(bottle.supervisor().pid).into_iter().map(host::first_argument).collect();
    assert!(!names.iter().any(|name| name == "bottle-enter"), "{names:?}");
    child.kill().unwrap();
    child.wait().unwrap();
}

fn wait_for_line(child: &mut Child, expected: &str) {
    use std::io::Read;
    let mut line = vec![0; expected.len() + 1];
    child.stdout.as_mut().unwrap().read_exact(&mut line).unwrap();
    assert_eq!(String::from_utf8(line).unwrap().trim_end(), expected);
}

/// The report of `confined`, from a process that has entered.
#[test]
fn nothing_is_allowed_to_it_that_is_refused_to_the_first() {
    let world = World::new();
    std::fs::write(world.project("report.py"), include_str!("report.py")).unwrap();
    let report = |said: Said| serde_json::from_str::<Value>(said.ok()).unwrap();
    let first = report(world.shell("python3 report.py /nowhere"));
    let bottle = waiting(&world);
    let entered = report(shell(&world, &bottle, "python3 report.py /nowhere"));
    for what in ["calls", "works", "switches", "core"] {
        assert_eq!(entered[what], first[what], "{what}");
    }
}

#[test]
fn it_is_in_the_log_before_it_runs_and_the_log_is_whole() {
    let world = World::new();
    let bottle = waiting(&world);
    shell(&world, &bottle, "true").ok();
    assert_eq!(exec(&world, &bottle, &["no-such-program"]).code, 127);
    let entered = entries(&bottle, "run.exec");
    assert_eq!(entered.len(), 2, "{entered:?}");
    assert_eq!(entered[0]["command"], serde_json::json!(["sh", "-c", "true"]));
    assert_eq!(entered[0]["user"], bottle.inspect()["user"]);
    said(&mut world.bottle(&["stop", "-t", "0", &bottle.id])).ok();
    let audit = bottle.inspect()["audit"].as_str().unwrap().to_owned();
    said(&mut world.bottle(&["audit", "verify", &audit])).ok();
    let shown = said(&mut world.bottle(&["audit", "show", &audit]));
    assert!(shown.ok().contains("run.exec    sh -c true (user "), "{shown:?}");
}

#[test]
fn what_it_is_given_is_in_no_entry_and_in_no_message() {
    let (world, secret) = (World::new(), "Hx82-mmQzzP1-kk3");
    let bottle = waiting(&world);
    let given = format!("KEY={secret}");
    let with = |words: &[&str]| said(&mut world.bottle(&[&["exec", "-e", &given, &bottle.id], words].concat()));
    assert_eq!(with(&["sh", "-c", &format!("test $KEY = {secret}")]).code, 0);
    let missing = with(&[&format!("/no/{secret}")]);
    assert!(missing.code == 127 && missing.err.contains("/no/[redacted KEY #"), "{missing:?}");
    let entered = format!("{:?}", entries(&bottle, "run.exec"));
    assert!(!entered.contains(secret) && entered.contains("test $KEY = [redacted KEY #"), "{entered}");
    said(&mut world.bottle(&["stop", "-t", "0", &bottle.id])).ok();
    assert!(!fs::read_to_string(bottle.inspect()["audit"].as_str().unwrap()).unwrap().contains(secret));
}

#[test]
fn what_it_connects_to_is_judged_and_recorded_as_the_firsts() {
    let world = World::new();
    let bottle = waiting(&world);
    assert_ne!(shell(&world, &bottle, "curl -s -m 5 https://evil.attacker.example").code, 0);
    assert_ne!(shell(&world, &bottle, "curl -s -m 5 https://11.6.6.6").code, 0);
    said(&mut world.bottle(&["stop", "-t", "0", &bottle.id])).ok();
    let connected = entries(&bottle, "decision");
    assert!(
        connected[0]["process"]["exe"].as_str().unwrap().ends_with("/curl"),
        "who entered is found too: {connected:?}"
    );
    let denied = entries(&bottle, "dns.denied");
    assert!(!denied.is_empty() && denied.iter().all(|entry| entry["name"] == "evil.attacker.example"), "{denied:?}");
}

#[test]
fn signals_go_on_to_it_and_its_answer_comes_back() {
    let world = World::new();
    let bottle = waiting(&world);
    let mut child = start(&world, &bottle, "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done");
    wait_for_line(&mut child, "ready");
    Held::new(child.id()).signal(Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(9));
}

/// A supervisor that is stopped says nothing, neither yes nor no.
#[test]
fn who_waits_for_a_supervisor_that_says_nothing_can_give_up() {
    let world = World::new();
    let bottle = waiting(&world);
    bottle.supervisor().signal(Signal::STOP);
    for signal in [Signal::INT, Signal::TERM] {
        let exec = Running::start(world.bottle(&["exec", &bottle.id, "given-up"]));
        // It hears signals, and is connected or about to be.
        let number = signal.as_raw();
        let caught = |mask: String| u64::from_str_radix(&mask, 16).unwrap() >> (number - 1) & 1 == 1;
        while !host::status(exec.pid(), "SigCgt").is_some_and(caught) {
            std::thread::yield_now();
        }
        exec.signal(signal);
        let ended = exec.end();
        assert_eq!((ended.code, ended.err.as_str()), (128 + number, ""), "{ended:?}");
    }
    bottle.supervisor().signal(Signal::CONT);
    assert_eq!(exec(&world, &bottle, &["true"]).code, 0);
    // What was given up is not done when it goes on.
    let entered: Vec<Value> = entries(&bottle, "run.exec").iter().map(|entry| entry["command"].clone()).collect();
    assert_eq!(entered, [serde_json::json!(["true"])]);
}

#[test]
fn it_ends_with_its_client_and_with_its_bottle() {
    let world = World::new();
    let bottle = waiting(&world);
    let mut child = start(&world, &bottle, "echo ready; exec sleep 1000");
    wait_for_line(&mut child, "ready");
    let entered = Held::new(*host::children(bottle.supervisor().pid).last().unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(entered.ends_within(LIMIT), "its client was killed");

    let mut child = start(&world, &bottle, "echo ready; exec sleep 1000");
    wait_for_line(&mut child, "ready");
    let entered = Held::new(*host::children(bottle.supervisor().pid).last().unwrap());
    said(&mut world.bottle(&["stop", "-t", "0", &bottle.id])).ok();
    assert!(entered.ends_within(LIMIT), "its bottle was stopped");
    assert!(Held::new(child.id()).ends_within(LIMIT));
    assert_eq!(child.wait().unwrap().code(), Some(137));
}

#[test]
fn it_ends_with_a_supervisor_that_is_killed_and_on_drift() {
    for strike in ["supervisor", "gate"] {
        let world = World::new();
        let bottle = waiting(&world);
        let mut child = start(&world, &bottle, "echo ready; exec sleep 1000");
        wait_for_line(&mut child, "ready");
        let entered = Held::new(*host::children(bottle.supervisor().pid).last().unwrap());
        let processes = Processes::of(bottle.supervisor().pid);
        let struck = if strike == "gate" { &processes.gate } else { &processes.supervisor };
        struck.signal(Signal::KILL);
        assert!(entered.ends_within(LIMIT), "{strike}");
        assert!(Held::new(child.id()).ends_within(LIMIT));
        assert_eq!(child.wait().unwrap().code(), Some(137), "{strike}");
        assert!(exec(&world, &bottle, &["true"]).code == 125);
    }
}

#[test]
fn a_user_is_one_of_the_bottles_own() {
    let world = World::new();
    let bottle = waiting(&world);
    let as_user =
        |user: &str| said(&mut world.bottle(&["exec", "-u", user, &bottle.id, "sh", "-c", "echo $(id -u):$(id -g)"]));
    if host::is_root() {
        assert_eq!(as_user("7:8").ok(), "7:8\n");
        assert!(as_user("65536").refused().contains("no such user"));
    } else {
        assert!(as_user("0").refused().contains("no such user"));
        let own = rustix::process::geteuid();
        assert!(as_user(&own.to_string()).ok().starts_with(&format!("{own}:")));
    }
}

/// A symbolic link, a descriptor and a directory that is not there must not lead out (CVE-2024-21626).
#[test]
fn no_working_directory_leads_out() {
    let world = World::new();
    let bottle = waiting(&world);
    for number in 0..32 {
        for directory in [format!("/proc/self/fd/{number}"), format!("/proc/self/fd/{number}/../..")] {
            let said = said(&mut world.bottle(&["exec", "-w", &directory, &bottle.id, "cat", "secret", "../secret"]));
            assert_eq!((said.code, said.out.as_str()), (125, ""), "{directory}: {said:?}");
        }
    }
    for directory in ["/proc/1/cwd", "/proc/1/root"] {
        assert_eq!(said(&mut world.bottle(&["exec", "-w", directory, &bottle.id, "true"])).code, 125, "{directory}");
    }
}

#[test]
fn a_terminal_is_one_of_the_bottles_own_with_the_callers_size() {
    let world = World::new();
    let bottle = waiting(&world);
    let command =
        world.bottle(&["exec", "-it", &bottle.id, "bash", "-c", "tty; stty size; read line; echo got $line; exit 6"]);
    let mut terminal = crate::terminal::Terminal::start(command);
    assert!(terminal.line().starts_with("/dev/pts/"));
    assert_eq!(terminal.line(), "33 77");
    terminal.type_in("hello\r");
    assert_eq!(terminal.line(), "hello");
    assert_eq!(terminal.line(), "got hello");
    assert_eq!(terminal.end(), 6);
}

#[test]
fn many_enter_at_once_and_each_gets_its_own() {
    let world = World::new();
    let bottle = waiting(&world);
    let all: Vec<Child> =
        (0..12).map(|number| start(&world, &bottle, &format!("echo {number}; exit {number}"))).collect();
    for (number, child) in all.into_iter().enumerate() {
        let said = Said::from(child.wait_with_output().unwrap());
        assert_eq!((said.code, said.out), (number as i32, format!("{number}\n")), "{}", said.err);
    }
    assert_eq!(entries(&bottle, "run.exec").len(), 12);
}

#[test]
fn what_bounds_the_bottle_bounds_who_enters_it() {
    let world = World::new();
    // An ordinary user is given no control groups here.
    let groups: &[&str] = if host::is_root() { &["--pids-limit", "9", "--memory", "256m"] } else { &[] };
    let rest = ["--ulimit", "nofile=77:99", "host", "--", "sh", "-c", "echo ready; sleep 1000"];
    let bottle = Detached::start(&world, &[groups, &rest].concat());
    bottle.wait_for("ready");
    assert_eq!(shell(&world, &bottle, "ulimit -n; ulimit -Hn").ok(), "77\n99\n");
    if host::is_root() {
        assert_eq!(exec(&world, &bottle, &["cat", "/proc/self/oom_score_adj"]).ok(), "1000\n");
        let forks = "i=0; while [ $i -lt 50 ]; do sleep 100 >/dev/null 2>&1 & i=$((i + 1)); done; echo $i";
        let said = shell(&world, &bottle, forks);
        assert!(!said.out.contains("50") && said.err.contains("fork"), "{said:?}");
    }
}
