//! Does a ClientHello for another name pass if it is cut in two at the right place?

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::hello::{Extension, Hello, pieces};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};
use crate::wire;

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "split-everywhere",
    class: "hello",
    severity: Severity::High,
    surface: "decision:deny/name-mismatch",
    about: "Sends a ClientHello for another name in two segments, cut at each byte in turn, a connection each.",
    seconds: 30,
    make,
    ..Attempt::USUAL
};

/// Long enough for the first half to be read by itself.
const BETWEEN: Duration = Duration::from_millis(2);

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let extensions = vec![Extension::Sni(vec![token.name(field)?]), Extension::Usual];
    let hello = Hello { extensions, record: None, write: None, version: None, trailing: None };
    let whole = pieces(&hello, |text| Ok::<_, NotApplicable>(text.as_bytes().to_vec()))?.concat();
    let place = wire::place(&format!("{}:443", field.names()?.allowed));
    let Some(to) = tried.call("resolve", place) else { return Ok(()) };
    for at in 1..whole.len() {
        tried.call(&format!("cut at {at}"), in_two(to, whole.split_at(at)));
    }
    Ok(())
}

fn in_two(to: SocketAddr, (first, second): (&[u8], &[u8])) -> io::Result<()> {
    let mut stream = wire::connect(to)?;
    stream.write_all(first)?;
    std::thread::sleep(BETWEEN);
    stream.write_all(second)?;
    stream.read(&mut [0; 64]).map(drop)
}
