//! How is the kernel asked to change the network? Routing messages as bytes, each with its answer.

use std::io;

use std::os::fd::{AsRawFd, OwnedFd};

use crate::sys::{self, Arg};

/// What a new thing is asked for with.
const NEW: u16 = (libc::NLM_F_REQUEST | libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_REPLACE) as u16;

/// A socket to the kernel's routing part.
pub(crate) fn routing() -> io::Result<OwnedFd> {
    sys::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)
}

/// An attribute, padded.
pub(crate) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut out = [&(4 + value.len() as u16).to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

/// Sends one message and gives the kernel's answer to it.
pub(crate) fn ask(socket: &OwnedFd, kind: u16, body: &[u8]) -> io::Result<()> {
    let length = 16 + body.len() as u32;
    let head = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &NEW.to_ne_bytes(), &[0; 8]].concat();
    let kernel = [&(libc::AF_NETLINK as u16).to_ne_bytes()[..], &[0; 10]].concat();
    sys::send_to(socket, &[&head, body].concat(), &kernel)?;
    let mut answer = [0; 4096];
    let descriptor = Arg::Number(socket.as_raw_fd() as u64);
    let room = Arg::Number(answer.len() as u64);
    sys::call(libc::SYS_recvfrom, &mut [descriptor, Arg::Out(&mut answer), room, Arg::Number(0), Arg::Number(0)])?;
    match i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]) {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(-code)),
    }
}

/// `ifinfomsg`: with flags, a link that is brought up.
pub(crate) fn link(index: u32, up: bool) -> Vec<u8> {
    let up = u32::from(up);
    [&[0; 4][..], &index.to_ne_bytes(), &up.to_ne_bytes(), &up.to_ne_bytes()].concat()
}

/// A link of a kind, brought up at once, with what the kind wants and other attributes.
pub(crate) fn add_link(socket: &OwnedFd, name: &str, kind: &str, data: &[u8], others: &[u8]) -> io::Result<()> {
    let mut info = attribute(1, kind.as_bytes());
    if !data.is_empty() {
        info.extend(attribute(2, data));
    }
    let attributes = [attribute(libc::IFLA_IFNAME, &[name.as_bytes(), b"\0"].concat()), attribute(18, &info)].concat();
    ask(socket, libc::RTM_NEWLINK, &[&link(0, true), &attributes[..], others].concat())
}

/// Removes a link, so that the next attempt finds what this one found.
pub(crate) fn remove_link(socket: &OwnedFd, name: &str) -> io::Result<()> {
    let attributes = attribute(libc::IFLA_IFNAME, &[name.as_bytes(), b"\0"].concat());
    ask(socket, libc::RTM_DELLINK, &[link(0, false), attributes].concat())
}
