//! Does netlink lead to the connector?

use crate::attempt::{Attempt, Control, Severity};
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "netlink-connector",
    class: "families",
    severity: Severity::Medium,
    control: Control::None("netlink ends at the kernel, or at listeners within the same network namespace"),
    about: "Opens a netlink socket for the connector, and sends to the kernel and to a group.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_CONNECTOR))
    else {
        return Ok(());
    };
    for group in [0_u32, 1, 2] {
        let to = [&(libc::AF_NETLINK as u16).to_ne_bytes()[..], &[0; 6], &group.to_ne_bytes()].concat();
        tried.call(&format!("send to group {group}"), sys::send_to(&socket, token.bytes(), &to));
    }
    Ok(())
}
