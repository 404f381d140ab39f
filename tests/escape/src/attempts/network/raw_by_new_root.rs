//! Does root of a new user namespace write packets in the old network?

use crate::attempt::{Attempt, Control, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "raw-by-new-root",
    class: "network",
    severity: Severity::Critical,
    control: Control::None("capabilities of a new user namespace do not reach a network that is the old one's"),
    about: "Makes a user namespace, and sends a raw packet in the network that was there before.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    tried.call("unshare", sys::call(libc::SYS_unshare, &mut [Arg::Number(libc::CLONE_NEWUSER as u64)]));
    if let Some(socket) = tried.call("raw socket", sys::socket(libc::AF_INET, libc::SOCK_RAW, 253)) {
        tried.call("send", sys::send_to(&socket, token.bytes(), &sys::v4(token.v4()?, 0)));
    }
    Ok(())
}
