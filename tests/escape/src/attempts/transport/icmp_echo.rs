//! Does an echo request with data in it get out?

use crate::attempt::Attempt;
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "icmp-echo",
    class: "transport",
    about: "Sends an ICMP echo request with data, through a raw socket.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = sys::v4(token.v4()?, 0);
    let mut message = vec![8, 0, 0, 0, 0, 1, 0, 1];
    message.extend(token.bytes());
    let sum =
        message.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum::<u32>();
    let folded = (sum & 0xffff) + (sum >> 16);
    message[2..4].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    if let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP)) {
        tried.call("send", sys::send_to(&socket, &message, &to));
    }
    Ok(())
}
