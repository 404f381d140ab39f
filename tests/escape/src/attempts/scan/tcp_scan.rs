//! Does any of the 65,535 TCP ports lead out?

use std::collections::VecDeque;
use std::io::{self};
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::time::Duration;

use crate::attempt::{Attempt, Company, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};
use crate::wire;

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "tcp-scan",
    class: "scan",
    severity: Severity::Critical,
    surface: "connections/65535",
    company: Company::Alone,
    seconds: 60,
    about: "Connects to every TCP port of an address, and sends where it is answered.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let address = token.v4()?;
    let (mut open, mut answered) = (VecDeque::new(), 0);
    let mut finish = |socket: OwnedFd| answered += u16::from(answered_within(&socket, 0, token.bytes()));
    for port in 1..=u16::MAX {
        if open.len() == AT_ONCE {
            open.pop_front().into_iter().for_each(&mut finish);
        }
        if port % 512 == 0 {
            // A capture outside has room for some thousand frames until it is read.
            std::thread::sleep(Duration::from_millis(4));
        }
        if let Ok(socket) = sys::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0) {
            // In progress, or refused at once: either way the packet is on its way.
            let _ = sys::connect(&socket, &sys::v4(address, port));
            open.push_back(socket);
        }
    }
    open.into_iter().for_each(&mut finish);
    tried.call::<(), _>("connect to each port", Err(format!("{answered} answered")));
    // Whoever answers may be behind; the next attempts should not find it so.
    for _ in 0..20 {
        let answer = wire::deliver(token.tcp()?, token.bytes()).map_err(|error| error.kind());
        let late = matches!(answer, Err(io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock));
        tried.call("connect and send", answer);
        if !late {
            break;
        }
    }
    Ok(())
}

/// Fewer than descriptors that a process may have.
const AT_ONCE: usize = 900;

/// Whether a connection was made in time; what it carries is sent then.
fn answered_within(socket: &OwnedFd, milliseconds: u64, bytes: &[u8]) -> bool {
    let mut wanted = [&socket.as_raw_fd().to_ne_bytes()[..], &libc::POLLOUT.to_ne_bytes(), &[0, 0]].concat();
    let arguments = [Arg::Out(&mut wanted), Arg::Number(1), Arg::Number(milliseconds)];
    sys::call(libc::SYS_poll, &mut { arguments }).is_ok_and(|ready| ready == 1)
        && sys::send_to(socket, bytes, &[]).is_ok()
}
