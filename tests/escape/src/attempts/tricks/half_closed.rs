//! Does data on a connection whose other half is closed get out?

use std::io::Write;
use std::time::Duration;

use crate::attempt::Attempt;
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};
use crate::wire;

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "half-closed",
    class: "tricks",
    surface: "decision:deny/literal-address",
    about: "Closes its receiving half, waits until the connection is denied, and goes on sending.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let Some(mut stream) = tried.call("connect", wire::connect(token.tcp()?)) else { return Ok(()) };
    tried.call("close the receiving half", stream.shutdown(std::net::Shutdown::Read));
    for _ in 0..20 {
        if tried.call("send", stream.write_all(token.bytes())).is_none() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
