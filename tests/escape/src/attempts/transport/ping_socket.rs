//! Does an echo request through an ordinary user's ping socket get out?

use std::fs;

use crate::attempt::{Attempt, Control};
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "ping-socket",
    class: "transport",
    control: Control::Perhaps("who may use ping sockets is a setting, which not everybody may change"),
    about: "Sends an ICMP echo request with data, through a datagram socket.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = sys::v4(token.v4()?, 0);
    let range = fs::write("/proc/sys/net/ipv4/ping_group_range", format!("0 {}", i32::MAX))
        .or_else(|_| fs::write("/proc/sys/net/ipv4/ping_group_range", "0 0"));
    tried.call("widen ping_group_range", range);
    if let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP)) {
        tried.call("send", sys::send_to(&socket, &[&[8, 0, 0, 0, 0, 0, 0, 1][..], token.bytes()].concat(), &to));
    }
    Ok(())
}
