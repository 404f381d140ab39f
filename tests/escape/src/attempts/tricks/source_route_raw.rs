//! Does a packet that names its own way get out?

use crate::attempt::Attempt;
use crate::field::Field;
use crate::link;
use crate::packet::{self, Ipv4};
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "source-route-raw",
    class: "tricks",
    about: "Sends a datagram with a loose source route, through a raw socket.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let address = token.v4()?;
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW)) else {
        return Ok(());
    };
    let options = [&[131, 7, 4][..], &address.octets(), &[0]].concat();
    let whole = Ipv4 { options: &options, ..Ipv4::new(17, link::source_v4(address), address) };
    tried.call("send", sys::send_to(&socket, &whole.with(&packet::udp(9, 9, token.bytes())), &sys::v4(address, 0)));
    Ok(())
}
