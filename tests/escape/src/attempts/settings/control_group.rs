//! Can a control group be made that the host sees?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::machine;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "control-group",
    class: "settings",
    severity: Severity::Medium,
    about: "Makes a group with its own name in each hierarchy, and moves itself there.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let hierarchies = fs::read_dir(machine::GROUPS).into_iter().flatten().flatten().map(|entry| entry.path());
    for hierarchy in hierarchies.filter(|path| path.is_dir()).chain([machine::GROUPS.into()]) {
        let group = hierarchy.join(token.text());
        if tried.call(&hierarchy.display().to_string(), fs::create_dir(&group)).is_some() {
            tried.call("move", fs::write(group.join("cgroup.procs"), "0"));
        }
    }
    Ok(())
}
