//! Does one sandbox reach another over TCP?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};
use crate::wire;

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "neighbour-tcp",
    class: "neighbour",
    severity: Severity::Critical,
    surface: "decision:deny/literal-address",
    about: "Connects to where a program of another sandbox listens.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    for address in &field.host.neighbour()?.addresses {
        tried.call(&format!("deliver {address}"), wire::deliver(*address, token.bytes()));
    }
    Ok(())
}
