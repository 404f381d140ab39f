//! Does a TCP segment of no connection, with data in it get out?

use std::net::SocketAddrV4;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::link;
use crate::packet::{self, flags};
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "tcp-raw",
    class: "transport",
    severity: Severity::Critical,
    about: "Sends a TCP segment of no connection, with data in it through a raw socket.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = sys::v4(token.v4()?, 0);
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_TCP)) else {
        return Ok(());
    };
    tried.call(
        "send",
        sys::send_to(
            &socket,
            &packet::tcp(
                SocketAddrV4::new(link::source_v4(token.v4()?), 9),
                SocketAddrV4::new(token.v4()?, 9),
                flags::ACK,
                token.bytes(),
            ),
            &to,
        ),
    );
    Ok(())
}
