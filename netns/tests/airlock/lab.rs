//! What do the tests build, and what do they do with it?

use std::io::{IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};

use bottle_netns::build::{Owner, build};
use bottle_netns::counters::counters;
use bottle_netns::enter::{enter_user_namespace, reenter_network_namespace};
use bottle_netns::{Airlock, Layout, Side};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg};
use nix::unistd::geteuid;

/// The layout of every test.
pub(crate) fn layout() -> Layout {
    Layout::default()
}

/// An airlock, built the way that this user builds one. The test is then in the agent namespace.
pub(crate) fn airlock() -> Airlock {
    another(owner())
}

/// What must be done first, once for a process.
pub(crate) fn owner() -> Owner {
    if geteuid().is_root() {
        return Owner::Inherited;
    }
    Owner::Own(enter_user_namespace().unwrap_or_else(|error| panic!("{error}; hint: {:?}", error.hint())))
}

/// An airlock for this owner.
pub(crate) fn another(owner: Owner) -> Airlock {
    build(&layout(), owner).unwrap_or_else(|error| panic!("no airlock: {error} ({error:?})"))
}

/// An airlock to spoil on each side.
pub(crate) fn one_for_each_side() -> [(Airlock, Side); 2] {
    [(airlock(), Side::Agent), (another(Owner::Inherited), Side::Gate)]
}

/// Moves this test to one of the two namespaces.
pub(crate) fn go(airlock: &Airlock, side: Side) {
    let namespace = match side {
        Side::Agent => &airlock.agent,
        Side::Gate => &airlock.gate,
    };
    reenter_network_namespace(namespace).expect("a namespace of ours");
}

/// Waits until there is something to read, at most five seconds.
pub(crate) fn wait_for(socket: impl AsFd) {
    let mut fds = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut fds, PollTimeout::from(5000_u16)), Ok(1), "nothing came within five seconds");
}

/// Accepts the connection that comes.
pub(crate) fn accept(listener: &TcpListener) -> TcpStream {
    wait_for(listener);
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(false).unwrap();
    stream
}

/// Receives a datagram: to which address it was sent, and by whom.
pub(crate) fn receive_with_destination(socket: &UdpSocket) -> (IpAddr, SocketAddr) {
    wait_for(socket);
    let mut bytes = [0; 512];
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let mut room = nix::cmsg_space!(libc::in6_pktinfo);
    let received =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut room), MsgFlags::empty()).unwrap();
    let to = received.cmsgs().unwrap().find_map(|message| match message {
        ControlMessageOwned::Ipv4PacketInfo(info) => Some(IpAddr::from(info.ipi_addr.s_addr.to_ne_bytes())),
        ControlMessageOwned::Ipv6PacketInfo(info) => Some(IpAddr::from(info.ipi6_addr.s6_addr)),
        _ => None,
    });
    (to.expect("packet info is on"), address(&received.address.unwrap()))
}

/// Sends a datagram whose source is this address.
pub(crate) fn answer_from(socket: &UdpSocket, source: IpAddr, to: SocketAddr, bytes: &[u8]) {
    let parts = [IoSlice::new(bytes)];
    let to = SockaddrStorage::from(to);
    let sent = match source {
        IpAddr::V4(source) => {
            let spec = libc::in_addr { s_addr: u32::from_ne_bytes(source.octets()) };
            let info = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: spec, ipi_addr: spec };
            sendmsg(socket.as_raw_fd(), &parts, &[ControlMessage::Ipv4PacketInfo(&info)], MsgFlags::empty(), Some(&to))
        }
        IpAddr::V6(source) => {
            let info = libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: source.octets() }, ipi6_ifindex: 0 };
            sendmsg(socket.as_raw_fd(), &parts, &[ControlMessage::Ipv6PacketInfo(&info)], MsgFlags::empty(), Some(&to))
        }
    };
    assert_eq!(sent, Ok(bytes.len()));
}

/// The counters of one namespace that are not zero, by name, sorted.
pub(crate) fn counted(airlock: &Airlock, side: Side) -> Vec<(String, u64)> {
    let all = counters(airlock).unwrap();
    let here = match side {
        Side::Agent => all.agent,
        Side::Gate => all.gate,
    };
    let mut counted: Vec<_> = here
        .into_iter()
        .filter(|(_, packets)| *packets > 0)
        .map(|(class, packets)| (class.to_string(), packets))
        .collect();
    counted.sort();
    counted
}

fn address(storage: &SockaddrStorage) -> SocketAddr {
    match (storage.as_sockaddr_in(), storage.as_sockaddr_in6()) {
        (Some(v4), _) => SocketAddr::new(v4.ip().into(), v4.port()),
        (_, Some(v6)) => SocketAddr::new(v6.ip().into(), v6.port()),
        _ => panic!("an address of another family"),
    }
}
