//! Does joining a group tell anybody?

use std::net::UdpSocket;
use std::time::Duration;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::link;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "multicast-membership",
    class: "transport",
    severity: Severity::Low,
    surface: "refused:membership",
    about: "Joins a multicast group whose number is the data, so that the kernel reports it.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let group = token.group()?;
    let own = link::source_v4(token.v4()?);
    if let Some(socket) = tried.call("socket", UdpSocket::bind("0.0.0.0:0")) {
        tried.call("join", socket.join_multicast_v4(&group, &own));
        // The report is sent a little later.
        std::thread::sleep(Duration::from_millis(1200));
    }
    Ok(())
}
