//! Can a program take from another process what it may use?

use crate::attempt::{Attempt, Severity};
use crate::family;
use crate::field::Field;
use crate::stage::limits::{few, lower};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "foreign-limits",
    class: "processes",
    severity: Severity::Low,
    about: "Lowers how many descriptors a process of the host's may have.",
    make,
    ..Attempt::USUAL
};

/// Of the one process that is there to suffer it: others are the range's own.
fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    field.host.has(field.host.victim, "host.victim")?;
    for victim in family::victims() {
        tried.call("lower", lower(victim, few(token)));
    }
    Ok(())
}
