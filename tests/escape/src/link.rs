//! Which links are there, and how is a frame written to them?

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};

use crate::sys::{self, Arg};
use crate::tried::Tried;

/// One link other than the loopback.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) name: String,
    pub(crate) index: u32,
    pub(crate) mac: [u8; 6],
}

/// Everybody on a link.
pub(crate) const EVERYBODY: [u8; 6] = [0xff; 6];

/// All links that /proc names but the loopback; where it names none, the first eight numbers.
pub(crate) fn all() -> Vec<Link> {
    let table = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let names = table.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned()));
    let found: Vec<Link> = names.filter(|name| name != "lo").filter_map(|name| named(&name)).collect();
    if !found.is_empty() {
        return found;
    }
    (1..=8).map(|index| Link { name: String::new(), index, mac: [2, 0, 0, 0, 0, 1] }).collect()
}

/// The link with this name.
pub(crate) fn named(name: &str) -> Option<Link> {
    let socket = sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0).ok()?;
    let ask = |request: u64| {
        let mut about = [0; 40];
        about[..name.len().min(15)].copy_from_slice(&name.as_bytes()[..name.len().min(15)]);
        let descriptor = Arg::Number(socket.as_raw_fd() as u64);
        sys::call(libc::SYS_ioctl, &mut [descriptor, Arg::Number(request), Arg::Out(&mut about)]).ok()?;
        Some(about)
    };
    let (index, address) = (ask(libc::SIOCGIFINDEX)?, ask(libc::SIOCGIFHWADDR)?);
    let mac = *address[18..].first_chunk()?;
    Some(Link { name: name.to_owned(), index: u32::from_ne_bytes(*index[16..].first_chunk()?), mac })
}

/// The address that the kernel would send from. Nothing is sent.
pub(crate) fn source(to: SocketAddr) -> IpAddr {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
    let chosen = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect(to)?;
        socket.local_addr()
    });
    chosen.map_or(any, |address| address.ip())
}

/// The same for IPv4.
pub(crate) fn source_v4(to: Ipv4Addr) -> Ipv4Addr {
    match source((to, 9).into()) {
        IpAddr::V4(address) => address,
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    }
}

/// A frame with its header.
pub(crate) fn ethernet(to: [u8; 6], from: [u8; 6], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&to[..], &from, &ethertype.to_be_bytes(), payload].concat()
}

/// A `sockaddr_ll`.
pub(crate) fn address(link: &Link, ethertype: u16, to: [u8; 6]) -> Vec<u8> {
    let family = (libc::AF_PACKET as u16).to_ne_bytes();
    [&family[..], &ethertype.to_be_bytes(), &link.index.to_ne_bytes(), &[0, 0, 0, 6], &to, &[0; 2]].concat()
}

/// Opens a raw packet socket, and writes one frame to each link.
pub(crate) fn transmit(tried: &mut Tried, frame: impl Fn(&Link) -> Vec<u8>) {
    if let Some(socket) = tried.call("packet socket", sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0)) {
        transmit_on(&socket, tried, frame);
    }
}

/// The same with a socket that is there already.
pub(crate) fn transmit_on(socket: &OwnedFd, tried: &mut Tried, frame: impl Fn(&Link) -> Vec<u8>) {
    for link in all() {
        let address = address(&link, 0, EVERYBODY);
        tried.call(&format!("send on {} ({})", link.name, link.index), sys::send_to(socket, &frame(&link), &address));
    }
}
