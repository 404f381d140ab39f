//! What do the verbs take that are about bottles which run or have ended?

use std::path::PathBuf;
use std::time::Duration;

use bottle_runtime::signal::Signal;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::value::duration;

/// `bottle ps`.
#[derive(Debug, Args)]
#[command(after_help = "Exit code: 0 listed, 2 usage or I/O.")]
pub struct PsArgs {
    /// Also those that have ended
    #[arg(short, long)]
    pub all: bool,
    /// Print only ids
    #[arg(short, long, conflicts_with = "json")]
    pub quiet: bool,
    /// Print the list as JSON
    #[arg(long)]
    pub json: bool,
}

/// `bottle inspect`.
#[derive(Debug, Args)]
#[command(after_help = "Exit code: 0 printed, 1 there is no such bottle, 2 usage or I/O.")]
pub struct InspectArgs {
    /// Names, or the beginnings of ids
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
}

/// `bottle logs`.
#[derive(Debug, Args)]
#[command(after_help = "Of what a bottle wrote, the last 10 to 20 MB are kept.\n\
                        Exit code: 0 printed, 1 there is no such bottle or it is not detached, 2 usage or I/O.")]
pub struct LogsArgs {
    /// Go on until the bottle has ended
    #[arg(short, long)]
    pub follow: bool,
    /// Begin with the last lines only
    #[arg(short = 'n', long, value_name = "LINES|all", default_value = "all", hide_default_value = true, value_parser = tail)]
    pub tail: Tail,
    /// Print when each line was written
    #[arg(short, long)]
    pub timestamps: bool,
    /// Its name, or the beginning of its id
    pub name: String,
}

/// `bottle stop`.
#[derive(Debug, Args)]
#[command(
    after_help = "The signal is SIGTERM, or what the image says.\nExit code: 0 they have ended, 1 one has not, 2 usage or I/O."
)]
pub struct StopArgs {
    /// How long they may take before they are killed: 10, 90s, 15m; 0 is at once
    #[arg(short, long, value_name = "TIME", default_value = "10", value_parser = grace)]
    pub time: Duration,
    /// Names, or the beginnings of ids
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
}

/// `bottle kill`.
#[derive(Debug, Args)]
#[command(after_help = "Exit code: 0 sent, 1 one was not, 2 usage or I/O.")]
pub struct KillArgs {
    /// Which signal: TERM, SIGTERM, 15, RTMIN+3
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL")]
    pub signal: Signal,
    /// Names, or the beginnings of ids
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
}

/// With how many of the last lines it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// With all that there are.
    All,
    /// With so many.
    Lines(usize),
}

pub fn tail(text: &str) -> Result<Tail, String> {
    match text {
        "all" => Ok(Tail::All),
        _ => text.parse().map(Tail::Lines).map_err(|_| "write a number of lines, or all".to_owned()),
    }
}

/// As other durations, and none at all.
fn grace(text: &str) -> Result<Duration, String> {
    if text == "0" { Ok(Duration::ZERO) } else { duration(text) }
}

/// `bottle exec`.
#[derive(Debug, Args)]
#[command(
    override_usage = "bottle exec [OPTIONS] NAME [--] COMMAND [ARG...]",
    after_help = "It enters the same namespaces under the same confinement as the bottle's first process, is measured before it\n\
                  executes anything, and is in the audit log as `run.exec`.\n\n\
                  Exit code: the command's own; 128+N after signal N; 125 it could not enter; 126 the command cannot be\n\
                  executed; 127 there is no such command."
)]
pub struct ExecArgs {
    /// Pass on what is typed at the terminal; pipes and files are passed on without it
    #[arg(short, long)]
    pub interactive: bool,
    /// Give the command a terminal of its own, for shells and editors; it reads what is typed
    #[arg(short, long)]
    pub tty: bool,
    /// Set a variable; KEY alone takes it from the caller's environment
    #[arg(short, long, value_name = "KEY[=VALUE]")]
    pub env: Vec<String>,
    /// The working directory inside (default: the first process's)
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<PathBuf>,
    /// Run as this user of the image: NAME, UID, NAME:GROUP or UID:GID (default: the first process's)
    #[arg(short, long, value_name = "USER[:GROUP]", value_parser = NonEmptyStringValueParser::new())]
    pub user: Option<String>,
    /// The bottle's name or the beginning of its id, then the command.
    #[arg(required = true, trailing_var_arg = true, num_args = 1.., hide = true, value_name = "NAME")]
    pub name_and_command: Vec<String>,
}

impl ExecArgs {
    /// The bottle and the command; the first `--` after the name separates and is dropped.
    pub fn split(&self) -> (&str, &[String]) {
        match self.name_and_command.split_first() {
            Some((name, [separator, command @ ..])) if separator == "--" => (name, command),
            Some((name, command)) => (name, command),
            None => ("", &[]),
        }
    }
}

/// `bottle rm`.
#[derive(Debug, Args)]
#[command(after_help = "Audit logs and attestations are evidence, and stay where they are.\n\
                        Exit code: 0 forgotten, 1 one was not, 2 usage or I/O.")]
pub struct RmArgs {
    /// Kill those that run
    #[arg(short, long)]
    pub force: bool,
    /// Names, or the beginnings of ids
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
}
