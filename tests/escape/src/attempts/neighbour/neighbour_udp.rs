//! Does one sandbox reach another over UDP?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};
use crate::wire;

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "neighbour-udp",
    class: "neighbour",
    severity: Severity::Critical,
    surface: "refused:udp4",
    about: "Sends to where a program of another sandbox listens.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    for address in &field.host.neighbour()?.addresses {
        tried.call(&format!("send {address}"), wire::ask(*address, token.bytes()));
    }
    Ok(())
}
