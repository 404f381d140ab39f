//! Which programs do the tests use, and how does an ordinary user's test run them with its capabilities?
//!
//! `nft` and `ip`, so that the airlock is held against what everybody else uses. bottle itself needs neither.

use std::io::Write;
use std::process::{Command, Stdio};

use bottle_netns::{Airlock, Side};
use caps::{CapSet, Capability};

use crate::lab::go;

/// Runs a program in the current namespaces and returns what it prints.
pub(crate) fn run(line: &str) -> String {
    run_with(line, "")
}

/// Runs a program with this on its standard input.
pub(crate) fn run_with(line: &str, input: &str) -> String {
    keep_capabilities();
    let mut words = line.split_whitespace();
    let program = words.next().expect("a program");
    let child = Command::new(program)
        .args(words)
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{program}: {error}; hint: apt-get install nftables iproute2"));
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{line}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a program in one of the namespaces; the test is then there.
pub(crate) fn run_in(airlock: &Airlock, side: Side, line: &str) -> String {
    go(airlock, side);
    run(line)
}

/// How many packets a counter of one namespace has, as nft tells it; the test is then there.
///
/// For where one namespace has lost its rules, and [`bottle_netns::counters`] knows nothing any more.
pub(crate) fn packets(airlock: &Airlock, side: Side, counter: &str) -> u64 {
    let listed = run_in(airlock, side, &format!("nft list counter inet bottle {counter}"));
    let after = listed.split_once("packets ").expect("a counter").1;
    after.split(' ').next().and_then(|count| count.parse().ok()).expect("a number")
}

/// An ordinary user's capabilities are lost by exec unless they are ambient.
fn keep_capabilities() {
    for capability in [Capability::CAP_NET_ADMIN, Capability::CAP_NET_RAW] {
        caps::raise(None, CapSet::Inheritable, capability).expect("the test has the capability");
        caps::raise(None, CapSet::Ambient, capability).expect("the test has the capability");
    }
}
