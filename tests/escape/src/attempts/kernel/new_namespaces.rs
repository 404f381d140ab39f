//! Does a new user namespace give the power to send?

use crate::attempt::{Attempt, Control};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "new-namespaces",
    class: "kernel",
    control: Control::None("the network of a new namespace has no link but a loopback that is down"),
    about: "Makes a user and a network namespace, where it has all capabilities, and sends a raw packet there.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = sys::v4(token.v4()?, 0);
    let flags = (libc::CLONE_NEWUSER | libc::CLONE_NEWNET) as u64;
    tried.call("unshare", sys::call(libc::SYS_unshare, &mut [Arg::Number(flags)]));
    if let Some(socket) = tried.call("raw socket", sys::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW - 1)) {
        tried.call("send", sys::send_to(&socket, token.bytes(), &to));
    }
    Ok(())
}
