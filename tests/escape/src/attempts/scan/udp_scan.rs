//! Does any of the 65,535 UDP ports lead out?

use std::net::UdpSocket;
use std::time::Duration;

use crate::attempt::{Attempt, Company, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "udp-scan",
    class: "scan",
    severity: Severity::Critical,
    surface: "refused:udp4/65534",
    company: Company::Alone,
    seconds: 30,
    about: "Sends a datagram to every UDP port of an address.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let address = token.v4()?;
    let Some(socket) = tried.call("socket", UdpSocket::bind("0.0.0.0:0")) else { return Ok(()) };
    let ports: Vec<u16> = (1..=u16::MAX).collect();
    let mut sent = 0;
    for some in ports.chunks(256) {
        sent += some.iter().filter(|port| socket.send_to(token.bytes(), (address, **port)).is_ok()).count();
        // A capture outside has room for some thousand frames until it is read.
        std::thread::sleep(Duration::from_millis(4));
    }
    tried.call::<(), _>("send to each port", Err(format!("{sent} sent")));
    Ok(())
}
