//! Is there a moment at which something gets out? Sends every millisecond from its first instruction on, until it is ended.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use crate::field::Field;
use crate::link;
use crate::sys;
use crate::token::Token;

/// Its place in the marks: the last one, which no attempt has.
const PLACE: u16 = u16::MAX;
const OPEN: usize = 64;

/// The token that it carries.
pub fn token(field: &Field) -> Token {
    Token::of(field, "pulse", PLACE)
}

/// Sends over TCP, UDP and raw sockets, each millisecond, and counts in a file.
///
/// # Errors
/// Where the field has no marks or the file can't be written.
pub fn beat(field: &Field, count: &Path) -> io::Result<()> {
    let token = token(field);
    let other = |why: crate::tried::NotApplicable| io::Error::other(why.0);
    let (address, datagrams) = (token.v4().map_err(other)?, token.udp().map_err(other)?);
    let tcp = sys::v4(address, token.tcp().map_err(other)?.port());
    let mut open: VecDeque<OwnedFd> = VecDeque::new();
    for beat in 0_u64.. {
        // Whatever the kernel says to any of it: what counts is what arrives.
        let _ = UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.send_to(token.bytes(), datagrams));
        if let Ok(socket) = sys::socket(libc::AF_INET, libc::SOCK_RAW, 253) {
            let _ = sys::send_to(&socket, token.bytes(), &sys::v4(address, 0));
        }
        if let Ok(socket) = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0) {
            for link in link::all() {
                let frame = link::ethernet(link::EVERYBODY, link.mac, 0x88b5, token.bytes());
                let _ = sys::send_to(&socket, &frame, &link::address(&link, 0, link::EVERYBODY));
            }
        }
        if let Ok(socket) = sys::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0) {
            let _ = sys::connect(&socket, &tcp);
            open.push_back(socket);
        }
        for socket in &open {
            let _ = sys::send_to(socket, token.bytes(), &[]);
        }
        while open.len() >= OPEN {
            open.pop_front();
        }
        fs::write(count, beat.to_string())?;
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
