//! What is there to try? Attempts in code and cases of the corpus, in one list whose order gives each its place.

use serde::Serialize;

use crate::attempt::{Attempt, Company, Control, Severity};
use crate::field::Field;
use crate::steps::{self, Step};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};
use crate::{attempts, corpus};

/// One thing to try.
#[derive(Debug, Serialize)]
pub struct Item {
    /// Unlike any other's.
    pub id: String,
    /// The folder or section that it is in.
    pub class: String,
    /// How bad it would be.
    pub severity: Severity,
    /// What the audit log must say: see [`crate::surface`].
    pub surface: String,
    /// What it does in an open sandbox.
    pub control: Control,
    /// What it does, in one sentence.
    pub about: String,
    #[serde(skip)]
    pub(crate) company: Company,
    #[serde(skip)]
    pub(crate) seconds: u16,
    #[serde(skip)]
    act: Act,
}

#[derive(Debug)]
enum Act {
    Code(Attempt),
    Steps(Vec<Step>),
}

impl Item {
    pub(crate) fn make(&self, field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
        match &self.act {
            Act::Code(attempt) => (attempt.make)(field, token, tried),
            Act::Steps(steps) => steps::make(steps, field, token, tried),
        }
    }
}

/// All that there is to try, by id. A token's place is the place in this list.
pub fn all() -> Vec<Item> {
    let code = attempts::all().map(of_code);
    let data = corpus::sections()
        .into_iter()
        .flat_map(|(class, section)| section.cases.into_iter().map(move |case| of_case(class, case)));
    let mut items: Vec<Item> = code.chain(data).collect();
    items.sort_by(|one, other| one.id.cmp(&other.id));
    items
}

fn of_code(attempt: &Attempt) -> Item {
    Item {
        id: attempt.id.into(),
        class: attempt.class.into(),
        severity: attempt.severity,
        surface: attempt.surface.into(),
        control: attempt.control,
        about: attempt.about.into(),
        company: attempt.company,
        seconds: attempt.seconds,
        act: Act::Code(*attempt),
    }
}

fn of_case(class: &str, case: corpus::Case) -> Item {
    // Once a process, and for as long as it lives.
    let control = case.contained_everywhere.map_or(Control::Escapes, |why| Control::None(why.leak()));
    Item {
        id: case.id,
        class: class.into(),
        severity: case.severity,
        surface: case.surface,
        control,
        about: case.why,
        company: Company::Together,
        seconds: Attempt::USUAL.seconds,
        act: Act::Steps(case.steps),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surface::Surface;

    #[test]
    fn no_two_have_the_same_id() {
        let all = all();
        for pair in all.windows(2) {
            assert_ne!(pair[0].id, pair[1].id);
        }
    }

    #[test]
    fn each_description_can_be_judged_by() {
        for item in all() {
            assert!(Surface::parse(&item.surface).is_some(), "{}: surface {:?}", item.id, item.surface);
            assert!(item.about.ends_with('.') && item.about.len() > 20, "{}: {:?}", item.id, item.about);
            assert!(item.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{}", item.id);
            assert!(
                !matches!(item.control, Control::None(why) | Control::Perhaps(why) if why.len() < 10),
                "{}: why not?",
                item.id
            );
            assert!(item.seconds <= 60, "{} takes too long", item.id);
        }
    }
}
