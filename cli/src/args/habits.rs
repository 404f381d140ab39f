//! What does someone type who knows other tools, and what does bottle have instead?

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, Error};

/// Options of docker's and podman's `run`, and what to know here.
const OPTIONS: [(&[&str], &str); 8] = [
    (&["--rm"], "leave it out: only the evidence outlives the command"),
    (&["-p", "-P", "--publish", "--expose"], "leave it out: a bottle can't be reached from outside"),
    (&["--network", "--net"], "leave it out: the network is always the gate's, and --allow says what may be reached"),
    (&["-d", "--detach"], "leave it out: a bottle lives as long as its command; `&` puts both in the background"),
    (&["--name", "--hostname"], "leave it out: bottles have no names"),
    (&["-u", "--user"], "leave it out: inside, the command has the uid of whoever runs bottle"),
    (&["--privileged", "--cap-add"], "leave it out: nothing in a bottle has capabilities"),
    (&["--mount"], "write -v HOST:INSIDE[:ro]"),
];

/// Replaces the advice to pass an option as a value, which would make an image of it.
pub fn advise(error: &mut Error) {
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else { return };
    let known = OPTIONS.iter().find(|(names, _)| names.contains(&typed.as_str()));
    error.remove(ContextKind::Suggested);
    if let Some((_, advice)) = known {
        error.remove(ContextKind::SuggestedArg);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(*advice)]));
    }
}
