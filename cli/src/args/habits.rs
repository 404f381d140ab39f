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
    (&["load", "import"], "bottle image load docker-archive:FILE, or oci-archive:FILE"),
    (&["build", "buildx", "push", "save", "commit", "export"], BUILDS),
    (&["tag"], "bottle image load SOURCE --tag NAME names what is loaded; what is pulled has the registry's name"),
    (&["history"], "bottle image inspect NAME shows the layers"),
    (&["login", "logout"], "podman login, skopeo login: bottle reads the same auth.json"),
    (&["container", "containers"], "leave it out: bottle ps, bottle rm, bottle logs"),
    (&["create"], "bottle run -d --name NAME IMAGE makes a bottle and starts it"),
    (&["port"], "bottle ps shows the published ports"),
    (&["top"], "bottle exec NAME ps"),
    (&["volume", "volumes"], "there is none: bottle run -v HOST:INSIDE shares, --keep NAME keeps"),
    (
        &["network", "networks"],
        "there is none: the network is always the gate's, and bottle run --allow says what may be reached",
    ),
    (
        &["rename", "update", "pause", "unpause"],
        "there is none: bottle stop it, and bottle run it again as it should be",
    ),
    (&["diff"], "there is none: what is changed vanishes, unless bottle run --keep NAME keeps it"),
    (&["events"], "bottle audit tail follows what a bottle does"),
    (
        &["info", "system"],
        "bottle doctor says what this machine can do; bottle image prune and bottle rm free what is not needed",
    ),
    (
        &["prune"],
        "bottle image prune frees what no image's name refers to; bottle rm $(bottle ps -aq) forgets all that have ended",
    ),
    (&["version"], "bottle --version"),
];

const BUILDS: &str = "there is none: podman, buildah, skopeo and docker make images and send them; bottle runs them";

const OF_IMAGE: Habits = &[
    (&["list"], "bottle image ls"),
    (&["remove", "delete"], "bottle image rm NAME"),
    (&["build", "push", "save"], BUILDS),
    (&["tag"], "bottle image load SOURCE --tag NAME names what is loaded; what is pulled has the registry's name"),
    (&["history"], "bottle image inspect NAME shows the layers"),
    (&["-i", "--input"], "leave it out: bottle image load docker-archive:FILE, or oci-archive:FILE"),
    (
        &["-q", "--quiet"],
        "leave it out: identifiers go to standard output, all else to standard error; for scripts there is ls --json",
    ),
    (&["--format", "--filter", "--no-trunc", "--digests"], "write --json, which has all of it"),
    (
        &["-a", "--all", "-f", "--force"],
        "leave it out: nothing is hidden, and nothing is asked; prune removes what no name refers to",
    ),
    (&["--platform"], "leave it out: of an image for several platforms this machine's is taken"),
    (
        &["--tls-verify", "--creds", "--authfile", "--cert-dir"],
        "leave it out: registries.conf and auth.json say it, as for podman",
    ),
];

const OF_PS: Habits = &[(
    &["--filter", "-f", "--format", "--no-trunc", "-n", "--last", "-l", "--latest", "-s", "--size"],
    "write --json, which has all of it",
)];

const OF_INSPECT: Habits =
    &[(&["-f", "--format", "--type", "-s", "--size"], "leave it out: what is printed is JSON, for jq and the like")];

const OF_MANY: Habits = &[
    (&["-a", "--all"], "name them: $(bottle ps -q), and with those that have ended $(bottle ps -aq)"),
    (&["-v", "--volumes"], "leave it out: a bottle has no volumes of its own"),
];

const OF_LOGS: Habits =
    &[(&["--since", "--until"], "leave it out: -n LINES begins with the last lines, -t says when each was written")];

const OF_EXEC: Habits = &[
    (
        &["-d", "--detach"],
        "leave it out, and let the shell go on with &: what is brought in ends with who brought it in",
    ),
    (&["--env-file"], "write -e KEY=VALUE for each"),
];

const OF_RUN: Habits = &[
    (
        &["-P", "--publish-all", "--expose"],
        "write -p PORT or -p HOSTPORT:PORT for each port that this machine is to reach",
    ),
    (&["--network", "--net"], "leave it out: the network is always the gate's, and --allow says what may be reached"),
    (&["--hostname"], "leave it out: a bottle's host name is the beginning of its id"),
    (&["--privileged", "--cap-add", "--cap-drop"], "leave it out: nothing in a bottle has capabilities"),
    (
        &["--security-opt"],
        "leave it out: seccomp, Landlock and no_new_privs are always on, and there is no way to have less of them",
    ),
    (
        &["--userns", "--pid", "--ipc", "--uts", "--cgroupns"],
        "leave it out: each bottle has namespaces of its own, and never one of this machine's",
    ),
    (&["-l", "--label", "--label-file", "--annotation"], "leave it out: --name NAME says which bottle it is"),
    (&["--shm-size"], "write --tmpfs /dev/shm:size=SIZE"),
    (
        &["--stop-signal", "--stop-timeout"],
        "leave it out: the signal is the image's, and bottle stop -t TIME says how long",
    ),
    (&["--volumes-from"], "write -v HOST:INSIDE[:ro] for each"),
    (&["--log-driver", "--log-opt"], "leave it out: bottle logs has what a detached bottle writes"),
    (&["--group-add"], "leave it out: -u USER:GROUP says which group a command has"),
    (&["--cidfile"], "leave it out: with -d the id is printed, and --name NAME does as well"),
    (&["-a", "--attach"], "leave it out: without -d a bottle's input and output are the caller's"),
    (&["-q", "--quiet"], "leave it out: what bottle says goes to standard error; bottle image pull it before"),
    (&["--sig-proxy", "--detach-keys"], "leave it out: signals are passed on, and -d detaches from the beginning"),
    (&["--replace"], "leave it out, and say bottle rm -f NAME before"),
    (&["--link", "--ip", "--ip6", "--mac-address", "--network-alias"], "leave it out: bottles do not reach each other"),
    (&["--sysctl"], "leave it out: the kernel's settings are bottle's; any port can be listened at already"),
    (&["--runtime"], "leave it out: bottle is the runtime; for containers of runc, crun and podman see bottle hook"),
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
    (&["--restart"], "leave it out: a bottle ends with its command; a unit of systemd's can run it again"),
    (&["--init"], "leave it out: each bottle has an init"),
    (&["--gpus", "--device"], "leave it out: nothing in a bottle has this machine's devices"),
];

/// What is known of a verb's options, or of verbs.
fn of(verb: &str) -> &'static [Habits] {
    match verb {
        "run" => &[OF_RUN],
        "exec" => &[OF_EXEC, OF_RUN],
        "image" => &[OF_IMAGE],
        "logs" => &[OF_LOGS],
        "ps" => &[OF_PS],
        "inspect" => &[OF_INSPECT],
        "rm" | "stop" | "kill" => &[OF_MANY],
        _ => &[VERBS],
    }
}

/// Says what bottle has for what others have; `verb` is what was typed first.
pub fn advise(error: &mut Error, verb: &str) {
    let typed = [ContextKind::InvalidSubcommand, ContextKind::InvalidArg].into_iter().find_map(|kind| error.get(kind));
    let Some(ContextValue::String(typed)) = typed else { return };
    let is_of_all = of(verb) == [VERBS];
    // What follows another verb is none.
    if is_of_all && typed != verb {
        return;
    }
    let mut habits = of(verb).iter().copied().flatten();
    let known = habits.find(|(names, _)| names.contains(&typed.as_str())).map(|(_, advice)| (*advice).to_owned());
    let number = typed.strip_prefix('-').filter(|number| verb == "kill" && number.parse::<u8>().is_ok());
    let advice = known.or_else(|| number.map(|number| format!("write -s {number}")));
    // Where a command follows, the advice to pass an option as a value would make an image of it, and elsewhere a name that nothing has.
    if advice.is_some() || !is_of_all {
        error.remove(ContextKind::Suggested);
    }
    if let Some(advice) = advice {
        error.remove(ContextKind::SuggestedArg);
        error.remove(ContextKind::SuggestedSubcommand);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(advice)]));
    }
}
