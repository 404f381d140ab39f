//! Does a lab end with whoever holds it, and is what runs in it an ordinary process of an ordinary host?

use std::fs::File;
use std::io::Read;
use std::process::Stdio;

use crate::common::{is_root, output, start};

#[test]
fn the_namespaces_end_with_the_lab() {
    let lab = start();
    let mut sleeper = lab
        .command("sh")
        .args(["-c", "echo up; exec sleep 1000"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    sleeper
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut [0; 3])
        .unwrap();
    let (world, network) = (
        lab.pid(),
        std::fs::read_link(format!("/proc/{}/ns/net", lab.pid())).unwrap(),
    );
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
        let mut child = held
            .command("sh")
            .args(["-c", "echo up; exec sleep 1000"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
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
    let line = |name: &str| {
        status
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap()
            .to_owned()
    };
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
    assert!(
        !std::fs::read_to_string("/etc/resolv.conf")
            .unwrap()
            .contains("11.0.0.53")
    );
    assert!(output(lab.command("cat").arg("/etc/hosts")).contains("localhost"));
}

#[test]
fn a_privileged_program_may_change_the_host_and_only_the_host() {
    let lab = start();
    output(
        lab.privileged("ip")
            .args(["link", "set", "eth0", "mtu", "1400"]),
    );
    assert!(output(lab.command("ip").args(["link", "show", "eth0"])).contains("mtu 1400"));
}

#[test]
fn two_labs_do_not_see_each_other() {
    let (one, other) = (start(), start());
    output(
        one.command("curl")
            .args(["-sS", "http://web.lab.example/only-one"]),
    );
    assert_eq!(one.received("web").unwrap().len(), 1);
    assert!(other.received("web").unwrap().is_empty() && other.dns_queries().unwrap().is_empty());
}

#[test]
fn the_working_directory_is_kept() {
    let lab = start();
    let here = std::env::current_dir().unwrap();
    assert_eq!(
        output(&mut lab.command("pwd")).trim(),
        here.to_str().unwrap()
    );
}
