//! Does a source that is named for one datagram only get out?

use crate::attempt::{Attempt, Control};
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "packet-info",
    class: "tricks",
    control: Control::None(
        "the kernel routes no IPv4 packet from an address that is not local, unless IP_TRANSPARENT is set",
    ),
    about: "Names the marked address as source with IP_PKTINFO and IP_FREEBIND.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = sys::v4(token.v4()?, 9);
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)) else { return Ok(()) };
    tried.call("IP_FREEBIND", sys::set(&socket, libc::IPPROTO_IP, libc::IP_FREEBIND, &1_i32.to_ne_bytes()));
    let source = [&[0; 4][..], &token.v4()?.octets(), &[0; 4]].concat();
    tried.call("send", sys::send_with(&socket, token.bytes(), &to, (libc::IPPROTO_IP, libc::IP_PKTINFO, &source)));
    Ok(())
}
