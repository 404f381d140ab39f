//! Does a lookup reach a resolver that nobody configured?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};
use crate::wire;

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "foreign-resolver",
    class: "names",
    severity: Severity::Critical,
    surface: "dns-denied",
    about: "Asks a resolver of its own choice, over UDP, for a name with data in it.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let question = wire::question(token.number(), &token.name(field)?);
    tried.call("ask", wire::ask(field.foreign_resolver()?, &question));
    Ok(())
}
