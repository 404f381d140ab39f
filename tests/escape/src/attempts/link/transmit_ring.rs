//! Do packets leave through a ring that is mapped?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::link;
use crate::sys::{self, Shared};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "transmit-ring",
    class: "link",
    severity: Severity::Critical,
    about: "Maps the transmit ring of a packet socket on each link, puts a frame there, and has it sent.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let (page, frame, transmit_ring) = (4096_u32, 2048_u32, 13);
    for link in link::all() {
        let socket = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0);
        let Some(socket) = tried.call("socket", socket) else { return Ok(()) };
        let request = [page, 1, frame, page / frame].map(u32::to_ne_bytes).concat();
        tried.call("PACKET_TX_RING", sys::set(&socket, libc::SOL_PACKET, transmit_ring, &request));
        let Some(mut ring) = tried.call("map", Shared::map(&socket, page as usize)) else { continue };
        let bytes = link::ethernet(link::EVERYBODY, link.mac, 0x88b5, token.bytes());
        // A frame's head is 32 bytes long and begins with its state, which is to be written last, and its length.
        ring.write(32, &bytes);
        ring.write(8, &(bytes.len() as u32).to_ne_bytes());
        ring.write(0, &1_u64.to_ne_bytes());
        tried.call("send", sys::send_to(&socket, &[], &link::address(&link, 0, link::EVERYBODY)));
    }
    Ok(())
}
