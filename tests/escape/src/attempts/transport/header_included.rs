//! Does an IPv4 packet with a header of the program's own get out?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::link;
use crate::packet::{self, Ipv4};
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "header-included",
    class: "transport",
    severity: Severity::Critical,
    about: "Sends an IPv4 packet whose header it wrote itself, with IP_HDRINCL.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let address = token.v4()?;
    let whole = Ipv4::new(17, link::source_v4(address), address).with(&packet::udp(9, 9, token.bytes()));
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_UDP)) else {
        return Ok(());
    };
    tried.call("IP_HDRINCL", sys::set(&socket, libc::IPPROTO_IP, libc::IP_HDRINCL, &1_i32.to_ne_bytes()));
    tried.call("send", sys::send_to(&socket, &whole, &sys::v4(address, 0)));
    Ok(())
}
