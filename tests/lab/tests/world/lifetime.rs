//! Does a lab end with whoever holds it, and is what runs in it an ordinary process of an ordinary host?

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

use bottle_lab::{Helper, Lab, Options};

use crate::common::{is_root, output, start};

#[test]
fn the_namespaces_end_with_the_lab() {
    let lab = start();
    let mut sleeper =
        lab.command("sh").args(["-c", "echo up; exec sleep 1000"]).stdout(Stdio::piped()).spawn().unwrap();
    sleeper.stdout.as_mut().unwrap().read_exact(&mut [0; 3]).unwrap();
    let (world, network) = (lab.pid(), std::fs::read_link(format!("/proc/{}/ns/net", lab.pid())).unwrap());
    drop(lab);
    assert!(File::open(format!("/proc/{world}/ns/net")).is_err());
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    let holders = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path().join("ns/net")).ok());
    assert_eq!(holders.filter(|namespace| *namespace == network).count(), 0);
}

#[test]
fn a_program_in_the_lab_ends_with_the_thread_that_started_it() {
    let lab = std::sync::Arc::new(start());
    let held = std::sync::Arc::clone(&lab);
    let starter = std::thread::spawn(move || {
        let mut child =
            held.command("sh").args(["-c", "echo up; exec sleep 1000"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = child.stdout.take().unwrap();
        output.read_exact(&mut [0; 3]).unwrap();
        (child, output)
    });
    let (mut child, mut output) = starter.join().unwrap();
    assert_eq!(output.read(&mut [0; 1]).unwrap(), 0);
    assert!(!child.wait().unwrap().success());
}

#[test]
fn the_user_stays_the_same_and_has_no_capabilities_unless_root() {
    let lab = start();
    let status = output(lab.command("cat").arg("/proc/self/status"));
    let line = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    let here = std::fs::read_to_string("/proc/self/status").unwrap();
    assert!(here.contains(&line("Uid:")), "{status}");
    assert_eq!(line("CapEff:").ends_with("\t0000000000000000"), !is_root());
}

#[test]
fn user_namespaces_can_be_made_in_the_lab() {
    let lab = start();
    let nested = "unshare -Urn sh -c 'ls /proc/self/net/dev_snmp6 && id -u'";
    let shown = output(lab.command("unshare").args(["-Urn", "sh", "-c", nested]));
    assert!(shown.contains("lo") && shown.ends_with("0\n"), "{shown}");
}

#[test]
fn the_host_s_own_files_say_what_the_lab_wants_and_the_machine_s_do_not() {
    let lab = start();
    assert!(output(lab.command("cat").arg("/etc/resolv.conf")).contains("nameserver 11.0.0.53"));
    assert!(!std::fs::read_to_string("/etc/resolv.conf").unwrap().contains("11.0.0.53"));
    assert!(output(lab.command("cat").arg("/etc/hosts")).contains("localhost"));
}

#[test]
fn a_privileged_program_may_change_the_host_and_only_the_host() {
    let lab = start();
    output(lab.privileged("ip").args(["link", "set", "eth0", "mtu", "1400"]));
    assert!(output(lab.command("ip").args(["link", "show", "eth0"])).contains("mtu 1400"));
}

#[test]
fn two_labs_do_not_see_each_other() {
    let (one, other) = (start(), start());
    output(one.command("curl").args(["-sS", "http://web.lab.example/only-one"]));
    assert_eq!(one.received("web").unwrap().len(), 1);
    assert!(other.received("web").unwrap().is_empty() && other.dns_queries().unwrap().is_empty());
}

#[test]
fn the_working_directory_is_kept() {
    let lab = start();
    let here = std::env::current_dir().unwrap();
    assert_eq!(output(&mut lab.command("pwd")).trim(), here.to_str().unwrap());
}

/// Plays a lab's owner in another process, so that it can be killed: builds a world and then only waits.
const OWNER: &str = r#"
import socket, subprocess, sys
ours, theirs = socket.socketpair()
subprocess.Popen([sys.argv[1], "world"], stdin=theirs, stdout=subprocess.DEVNULL)
theirs.close()
ours.sendall(b'{"Build":{"zone":{"names":{}},"directories":{},"programs":{},"capture":true}}\n')
print(ours.makefile().readline()[:8], flush=True)
ours.recv(1)
"#;

#[test]
fn a_lab_ends_with_an_owner_that_is_killed() {
    bottle_lab::require();
    let mut owner = Command::new("python3")
        .args(["-c", OWNER, env!("CARGO_BIN_EXE_bottle-lab")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 8];
    owner.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
    assert_eq!(&said, b"{\"Ready\"");
    owner.kill().unwrap();
    owner.wait().unwrap();
    // The world holds the other end of this pipe, so that it is at its end only when the world is gone.
    let mut left = String::new();
    owner.stderr.unwrap().read_to_string(&mut left).unwrap();
    assert_eq!(left, "");
}

#[test]
fn any_program_that_passes_its_arguments_on_can_be_the_helper() {
    bottle_lab::require();
    let helper = Helper::new("/usr/bin/env", [env!("CARGO_BIN_EXE_bottle-lab")]);
    let lab = Lab::start(Options::default().helper(helper)).unwrap();
    assert_eq!(output(lab.command("echo").arg("inside")), "inside\n");
}

#[test]
fn only_root_runs_programs_as_somebody_else() {
    let lab = start();
    let mut command = lab.command_as("65534", "sh");
    command.args(["-c", "id -u; grep -E '^Cap(Eff|Prm|Amb)' /proc/self/status"]);
    if is_root() {
        assert_eq!(output(&mut command).matches("\t0000000000000000").count(), 3);
        assert!(output(&mut command).starts_with("65534\n"));
    } else {
        assert_eq!(command.output().unwrap().status.code(), Some(126));
    }
}

#[test]
fn a_program_inherits_no_descriptor_of_the_lab() {
    let lab = start();
    let open = output(lab.command("ls").arg("/proc/self/fd"));
    // The fourth is the folder that is being listed.
    assert_eq!(open, "0\n1\n2\n3\n");
}

#[test]
fn a_test_that_needs_the_lab_fails_without_it_and_says_what_to_run() {
    let this = std::env::current_exe().unwrap();
    let shown = Command::new(this)
        .args(["--exact", "lifetime::the_working_directory_is_kept"])
        .env_remove("BOTTLE_LAB")
        .output()
        .unwrap();
    let shown = (shown.status.success(), String::from_utf8_lossy(&shown.stdout).into_owned());
    assert!(!shown.0 && shown.1.contains("hint: run `tests/run`"), "{}", shown.1);
}

#[test]
fn a_helper_that_is_not_there_is_an_error_that_names_it() {
    let missing = Helper::new("/nonexistent/bottle-lab", [""; 0]);
    let error = Lab::start(Options::default().helper(missing)).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/bottle-lab"), "{error}");
}
