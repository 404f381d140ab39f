//! Does a socket for tunnels send what another may not?

use crate::attempt::Attempt;
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "encapsulation",
    class: "tricks",
    surface: "refused:udp4",
    about: "Turns a UDP socket into one for ESP with UDP_ENCAP, and sends.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = sys::v4(token.v4()?, 4500);
    let (udp_encap, esp) = (100, 2_i32);
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)) else { return Ok(()) };
    tried.call("UDP_ENCAP", sys::set(&socket, libc::SOL_UDP, udp_encap, &esp.to_ne_bytes()));
    tried.call("send", sys::send_to(&socket, token.bytes(), &to));
    Ok(())
}
