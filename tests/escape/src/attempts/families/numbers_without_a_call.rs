//! Does a number that is no system call do anything?

use crate::attempt::{Attempt, Control, Severity};
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "numbers-without-a-call",
    class: "families",
    severity: Severity::Low,
    control: Control::None("there is nothing behind these numbers"),
    about: "Makes a hundred system calls by numbers that mean nothing, small and negative ones among them.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let numbers = (600..680).chain(-10..-1).chain([i64::from(i32::MIN)]);
    let answered = numbers.filter(|number| sys::call(*number, &mut []).is_ok()).count();
    tried.call::<(), _>("call", Err(format!("{answered} answered")));
    Ok(())
}
