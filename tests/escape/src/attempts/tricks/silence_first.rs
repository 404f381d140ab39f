//! Does data get out if it comes long after the connection was made?

use std::io::Write;
use std::time::Duration;

use crate::attempt::Attempt;
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};
use crate::wire;

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "silence-first",
    class: "tricks",
    surface: "decision:deny/literal-address",
    about: "Connects to an address without a name, says nothing for a second, and then sends.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let Some(mut stream) = tried.call("connect", wire::connect(token.tcp()?)) else { return Ok(()) };
    std::thread::sleep(Duration::from_secs(1));
    tried.call("send", stream.write_all(token.bytes()));
    Ok(())
}
