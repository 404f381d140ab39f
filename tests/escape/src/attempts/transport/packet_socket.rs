//! Does a frame that is written straight to a link get out, past all output hooks?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "packet-socket",
    class: "transport",
    severity: Severity::Critical,
    about: "Writes a broadcast frame with data to each link through AF_PACKET.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_PACKET, libc::SOCK_DGRAM, 0)) else { return Ok(()) };
    for link in 1..=index_of_last() {
        tried.call(&format!("send on link {link}"), sys::send_to(&socket, token.bytes(), &broadcast(link)));
    }
    Ok(())
}

/// A `sockaddr_ll` for everybody on a link, of an ethertype for experiments.
fn broadcast(link: u32) -> Vec<u8> {
    let family = (libc::AF_PACKET as u16).to_ne_bytes();
    [&family[..], &0x88b5_u16.to_be_bytes(), &link.to_ne_bytes(), &[0, 0, 0, 6], &[0xff; 6], &[0; 2]].concat()
}

/// Links are numbered from one; /sys tells the numbers where it is there.
fn index_of_last() -> u32 {
    let links = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let numbers = links.filter_map(|link| fs::read_to_string(link.path().join("ifindex")).ok()?.trim().parse().ok());
    numbers.max().unwrap_or(8)
}
