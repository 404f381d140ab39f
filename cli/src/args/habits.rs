//! What does someone type who knows other tools, and what does bottle have instead?

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, Error};

/// Words of docker's and podman's, and what to know here.
type Habits = &'static [(&'static [&'static str], &'static str)];

const VERBS: Habits = &[
    (&["pull"], "bottle image pull NAME"),
    (&["images"], "bottle image ls"),
    (&["rmi"], "bottle image rm NAME"),
    (&["ls"], "bottle ps lists bottles; there are also bottle image ls and bottle keep ls"),
    (&["attach"], "bottle logs -f NAME shows what a bottle writes, bottle exec -it NAME sh goes into it"),
    (&["start", "restart"], "bottle run it again: with --keep NAME it goes on with what was changed in the image"),
    (&["cp"], "bottle run -v HOST:INSIDE shares a file or directory with a bottle"),
    (&["wait"], "bottle logs -f NAME ends when the bottle does"),
    (&["stats"], "there is none: bottle run --memory, --cpus and --pids-limit say what a bottle may use"),
];

const OF_LOGS: Habits =
    &[(&["--since", "--until"], "leave it out: -n LINES begins with the last lines, -t says when each was written")];

const OF_RUN: Habits = &[
    (
        &["-P", "--publish-all", "--expose"],
        "write -p PORT or -p HOSTPORT:PORT for each port that this machine is to reach",
    ),
    (&["--network", "--net"], "leave it out: the network is always the gate's, and --allow says what may be reached"),
    (&["--hostname"], "leave it out: a bottle's host name is the beginning of its id"),
    (&["--privileged", "--cap-add"], "leave it out: nothing in a bottle has capabilities"),
    (&["--mount"], "write -v HOST:INSIDE[:ro]"),
    (
        &["--memory-swap", "--memory-swappiness", "--memory-reservation"],
        "leave it out: --memory SIZE gives as much memory, and as much again of swap",
    ),
    (
        &["-c", "--cpu-shares", "--cpu-quota", "--cpu-period", "--cpuset-cpus"],
        "write --cpus NUMBER, such as --cpus 1.5",
    ),
    (
        &["--dns", "--add-host"],
        "leave it out: bottle looks names up as this machine does, where --allow lets them through",
    ),
    (&["--platform"], "leave it out: of an image for several platforms this machine's is taken"),
    (&["--env-file"], "write -e KEY=VALUE for each"),
    (&["--restart"], "leave it out: a bottle ends with its command; a unit of systemd's can run it again"),
    (&["--init"], "leave it out: each bottle has an init"),
    (&["--gpus", "--device"], "leave it out: nothing in a bottle has this machine's devices"),
];

/// Says what bottle has for what others have; `verb` is what was typed first.
pub fn advise(error: &mut Error, verb: &str) {
    let (kind, habits) = match verb {
        "run" | "exec" => (ContextKind::InvalidArg, OF_RUN),
        "logs" => (ContextKind::InvalidArg, OF_LOGS),
        "kill" => (ContextKind::InvalidArg, &[][..]),
        _ => (ContextKind::InvalidSubcommand, VERBS),
    };
    let Some(ContextValue::String(typed)) = error.get(kind) else { return };
    let known =
        habits.iter().find(|(names, _)| names.contains(&typed.as_str())).map(|(_, advice)| (*advice).to_owned());
    let number = typed.strip_prefix('-').filter(|number| verb == "kill" && number.parse::<u8>().is_ok());
    let advice = known.or_else(|| number.map(|number| format!("write -s {number}")));
    // Where a command follows, the advice to pass an option as a value would make an image of it.
    if advice.is_some() || matches!(verb, "run" | "exec") {
        error.remove(ContextKind::Suggested);
    }
    if let Some(advice) = advice {
        error.remove(ContextKind::SuggestedArg);
        error.remove(ContextKind::SuggestedSubcommand);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(advice)]));
    }
}
