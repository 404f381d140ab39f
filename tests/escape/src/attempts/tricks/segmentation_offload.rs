//! Do many datagrams in one call get out?

use crate::attempt::Attempt;
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "segmentation-offload",
    class: "tricks",
    surface: "refused:udp4",
    about: "Sends with UDP_SEGMENT, so that the kernel cuts one buffer into datagrams.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = sys::v4(token.v4()?, 9);
    let (udp_segment, many) = (103, token.bytes().repeat(16));
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)) else { return Ok(()) };
    tried.call("send", sys::send_with(&socket, &many, &to, (libc::SOL_UDP, udp_segment, &28_u16.to_ne_bytes())));
    Ok(())
}
