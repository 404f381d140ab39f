//! Does clone3, whose flags no filter can read, make namespaces?

use crate::attempt::{Attempt, Control};
use crate::field::Field;
use crate::link;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "clone3",
    class: "families",
    control: Control::None("a new network namespace has no link but a loopback that is down"),
    about: "Makes a child in a new user and network namespace with clone3, which writes frames.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let flags = (libc::CLONE_NEWUSER | libc::CLONE_NEWNET) as u64;
    let arguments = [flags, 0, 0, 0, libc::SIGCHLD as u64, 0, 0, 0].map(u64::to_ne_bytes).concat();
    match sys::call(libc::SYS_clone3, &mut [Arg::In(&arguments), Arg::Number(arguments.len() as u64)]) {
        Ok(0) => {
            link::transmit(tried, |link| link::ethernet(link::EVERYBODY, link.mac, 0x88b5, token.bytes()));
            sys::exit(0)
        }
        made => tried.call("clone3", made),
    };
    Ok(())
}
