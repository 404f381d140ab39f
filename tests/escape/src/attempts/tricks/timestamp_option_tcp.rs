//! Does a connection with time stamps of each hop get out?

use crate::attempt::Attempt;
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "timestamp-option-tcp",
    class: "tricks",
    surface: "decision:deny/literal-address",
    about: "Sends a connection with time stamps of each hop, with an option that any user may set.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let (to, options) = (sys::v4(token.v4()?, 9), [68, 8, 5, 0, 0, 0, 0, 0]);
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_STREAM, 0)) else { return Ok(()) };
    tried.call("IP_OPTIONS", sys::set(&socket, libc::IPPROTO_IP, libc::IP_OPTIONS, &options));
    tried.call("limit", sys::set(&socket, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, &1500_i32.to_ne_bytes()));
    tried.call(
        "limit",
        sys::set(&socket, libc::SOL_SOCKET, libc::SO_SNDTIMEO, &[1_u64, 0].map(u64::to_ne_bytes).concat()),
    );
    if tried.call("connect", sys::connect(&socket, &to)).is_some() {
        tried.call("send", sys::send_to(&socket, token.bytes(), &[]));
    }
    Ok(())
}
