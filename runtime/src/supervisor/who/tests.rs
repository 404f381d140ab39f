//! Is the process that holds a connection found, and only within bounds?

use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

use super::*;

fn who() -> Who {
    let here = std::fs::File::open("/proc/self/ns/net").unwrap();
    Who::new(Connections::open().unwrap(), here.as_fd()).unwrap()
}

/// A child that has this connection as its standard input, and the connection's ends as it sees them.
fn child(listener: &TcpListener) -> (Child, Ends) {
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let ends = (client.local_addr().unwrap(), client.peer_addr().unwrap());
    let client = std::os::fd::OwnedFd::from(client);
    (Command::new("sleep").arg("60").stdin(client).stdout(Stdio::null()).spawn().unwrap(), ends)
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_connection_is_that_of_the_child_that_has_it_and_nobodys_when_it_is_gone() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut who, (one, ends)) = (who(), child(&listener));
    let (other, others) = child(&listener);
    // The second time, they are known.
    for _ in 0..2 {
        let found = who.hold(&[ends, others], Instant::now());
        for (process, child) in found.iter().zip([&one, &other]) {
            let Process::Known(known) = process else { panic!("{found:?}") };
            let exe = std::fs::read_link(format!("/proc/{}/exe", child.id())).unwrap();
            let uid = rustix::process::geteuid().as_raw();
            assert_eq!((known.pid, known.exe.as_str(), known.uid), (child.id(), exe.to_str().unwrap(), uid));
        }
    }
    end(one);
    let found = who.hold(&[ends, others], Instant::now());
    assert!(matches!(&found[..], [Process::UNKNOWN, Process::Known(known)] if known.pid == other.id()), "{found:?}");
    end(other);
}

#[test]
fn what_was_not_looked_for_is_told_apart_from_what_was_not_found() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut who, (child, ends)) = (who(), child(&listener));
    let nowhere = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
    let now = Instant::now();
    assert_eq!(who.hold(&[nowhere], now), [Process::UNKNOWN]);
    who.allowance.spend(BURST);
    assert_eq!(who.hold(&[ends, nowhere], now), [Process::UNSOUGHT, Process::UNSOUGHT]);
    let found = who.hold(&[ends], now + EACH * BURST);
    assert!(matches!(&found[..], [Process::Known(known)] if known.pid == child.id()), "{found:?}");
    end(child);
}

#[test]
fn a_process_of_another_namespace_is_not_looked_at() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (child, ends) = child(&listener);
    let elsewhere = std::fs::File::open("/proc/self/ns/uts").unwrap();
    let mut who = Who::new(Connections::open().unwrap(), elsewhere.as_fd()).unwrap();
    assert_eq!(who.hold(&[ends], Instant::now()), [Process::UNKNOWN]);
    end(child);
}
