//! Which program does the kernel start when a control group empties?

use std::fs;
use std::path::Path;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::machine;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "release-agent",
    class: "settings",
    severity: Severity::Critical,
    about: "Writes the release agent of each hierarchy of control groups, and of one that it mounts itself.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let own = Path::new("/tmp").join(token.text());
    tried.call("make a directory", fs::create_dir(&own));
    tried.call("mount", sys::mount("escape", &own, "cgroup", 0));
    let hierarchies = fs::read_dir(machine::GROUPS).into_iter().flatten().flatten().map(|entry| entry.path());
    for hierarchy in hierarchies.chain([own.clone()]) {
        let agent = hierarchy.join("release_agent");
        if agent.exists() {
            tried.call(&agent.display().to_string(), fs::write(&agent, token.bytes()));
        }
    }
    tried.call("remove the directory", fs::remove_dir(&own));
    Ok(())
}
