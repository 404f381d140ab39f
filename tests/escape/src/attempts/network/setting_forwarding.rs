//! Do the kernel's settings for forwarding lead out?

use std::fs;
use std::net::UdpSocket;

use crate::attempt::{Attempt, Company};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "setting-forwarding",
    class: "network",
    surface: "refused:udp4",
    company: Company::Alone,
    about: "Writes the settings for forwarding in /proc/sys/net, and sends a datagram.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    for key in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
        tried.call(&format!("write {key}"), fs::write(format!("/proc/sys/net/{key}"), "1"));
    }
    if let Some(socket) = tried.call("socket", UdpSocket::bind("0.0.0.0:0")) {
        tried.call("send", socket.send_to(token.bytes(), token.udp()?));
    }
    Ok(())
}
