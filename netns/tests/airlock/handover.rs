//! Does an airlock work for a process outside of it, which got the descriptors over a socket?

use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use bottle_netns::conform::conforms;
use bottle_netns::counters::counters;
use bottle_netns::survey::{generations, survey};
use bottle_netns::watch::Kind;
use bottle_netns::{Airlock, AirlockIndex};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};

use crate::harness::{Test, myself};
use crate::lab::{accept, airlock, layout};
use crate::raw;

pub(crate) const TESTS: &[Test] = &[
    ("an_airlock_is_whole_after_being_taken_apart", taken_apart),
    ("descriptors_that_are_not_an_airlock_are_refused", not_an_airlock),
    ("a_process_outside_serves_surveys_counts_and_watches_what_another_built", outside),
];

/// Not listed as a claim: the builder's part of the test above.
pub(crate) const BUILDER: Test = ("builder", builder);

fn taken_apart() {
    let airlock = airlock();
    let before = survey(&airlock).unwrap();
    let (index, fds) = airlock.flatten();
    let index: AirlockIndex = serde_json::from_str(&serde_json::to_string(&index).unwrap()).unwrap();
    let airlock = Airlock::rebuild(index, fds).unwrap();
    assert_eq!(survey(&airlock).unwrap(), before);
}

fn not_an_airlock() {
    let (index, mut fds) = airlock().flatten();
    fds.pop();
    Airlock::rebuild(index, fds).unwrap_err();
    let (AirlockIndex(mut roles), mut fds) = crate::lab::another(bottle_netns::build::Owner::Inherited).flatten();
    roles.remove(0);
    fds.remove(0);
    Airlock::rebuild(AirlockIndex(roles), fds).unwrap_err();
}

/// This process has no capabilities of its own over anything but what it owns: as an ordinary user, none at all.
fn outside() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut builder = Command::new(std::env::current_exe().unwrap());
    myself(&mut builder, BUILDER.0);
    let mut builder = builder.stdin(OwnedFd::from(theirs)).stdout(Stdio::piped()).spawn().unwrap();
    let airlock = receive(&ours);
    let before = survey(&airlock).unwrap();
    conforms(&before, &layout()).unwrap();
    // The builder connects, sends a datagram that is refused, and adds an address.
    let mut orders = &ours;
    orders.write_all(b"go").unwrap();
    let stream: TcpStream = accept(&airlock.listeners.transparent[0]);
    assert_eq!(stream.local_addr().unwrap(), "11.0.0.1:443".parse().unwrap());
    let mut said = String::new();
    builder.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(builder.wait().unwrap().success());
    assert_eq!(counters(&airlock).unwrap().total().values().sum::<u64>(), 1);
    let kinds: Vec<Kind> = airlock.watches.drain(&layout()).into_iter().map(|change| change.kind).collect();
    assert!(kinds.contains(&Kind::Ruleset), "{kinds:?}");
    assert_ne!(generations(&airlock).unwrap(), before.generations());
}

fn builder() {
    let mut orders = raw::standard_input();
    let airlock = airlock();
    let (index, fds) = airlock.flatten();
    let index = serde_json::to_vec(&index).unwrap();
    let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let message = [ControlMessage::ScmRights(&raw)];
    let length = index.len();
    orders.write_all(&(length as u32).to_ne_bytes()).unwrap();
    let sent = sendmsg::<()>(orders.as_raw_fd(), &[IoSlice::new(&index)], &message, MsgFlags::empty(), None);
    assert_eq!(sent, Ok(length));
    drop(fds);
    orders.read_exact(&mut [0; 2]).unwrap();
    let _client = TcpStream::connect("11.0.0.1:443").unwrap();
    let udp = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    udp.send_to(b"hello", "11.0.0.1:443").unwrap_err();
    crate::tools::run("nft add table inet extra");
}

fn receive(socket: &UnixStream) -> Airlock {
    let mut length = [0; 4];
    (&*socket).read_exact(&mut length).unwrap();
    let mut index = vec![0; u32::from_ne_bytes(length) as usize];
    let mut room = nix::cmsg_space!([RawFd; 253]);
    let mut parts = [IoSliceMut::new(&mut index)];
    let received = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut room), MsgFlags::MSG_CMSG_CLOEXEC).unwrap();
    let fds = received.cmsgs().unwrap().find_map(|message| match message {
        ControlMessageOwned::ScmRights(fds) => Some(fds),
        _ => None,
    });
    let fds = fds.expect("descriptors came").into_iter().map(raw::owned).collect();
    Airlock::rebuild(serde_json::from_slice(&index).unwrap(), fds).unwrap()
}
