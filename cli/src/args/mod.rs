//! What was typed? The verbs, their options and their help texts.

mod evidence;
pub mod habits;
mod hook;
mod image;
mod keep;
mod life;
mod policy;
mod run;
mod value;

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand};

pub use evidence::{
    AttestRenewArgs, AttestVerb, AttestVerifyArgs, AuditExportArgs, AuditPruneArgs, AuditShowArgs, AuditVerb,
    AuditVerifyArgs, ChoiceArg,
};
pub use hook::{HookVerb, InstallArgs};
pub use image::ImageVerb;
pub use keep::KeepVerb;
pub use life::{ExecArgs, InspectArgs, KillArgs, LogsArgs, PsArgs, RmArgs, StopArgs, Tail};
pub use policy::{ModeArg, PolicyArgs, PolicyVerb, WhyArgs};
pub use run::{Pull, RunArgs};

/// Run a command where the only way out is a door that someone watches.
#[derive(Debug, Parser)]
#[command(name = "bottle", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

impl Cli {
    /// What the program was called with. To make the grammar of every verb takes a start longer than all else that comes before its
    /// first process, so `run` and `hook` are tried alone; all that is wrong with them, and help, is left to the whole grammar.
    pub fn of(arguments: &[OsString]) -> Result<Cli, clap::Error> {
        let alone = match arguments.get(1).and_then(|verb| verb.to_str()) {
            Some("run") => RunAlone::try_parse_from(&arguments[1..]).ok().map(|run| Verb::Run(Box::new(run.args))),
            Some("hook") => HookAlone::try_parse_from(&arguments[1..]).ok().map(|hook| Verb::Hook(hook.verb)),
            _ => None,
        };
        alone.map_or_else(|| Cli::try_parse_from(arguments), |verb| Ok(Cli { verb }))
    }
}

/// `run` and what follows it.
#[derive(Debug, Parser)]
struct RunAlone {
    #[command(flatten)]
    args: RunArgs,
}

/// `hook` and what follows it.
#[derive(Debug, Parser)]
struct HookAlone {
    #[command(subcommand)]
    verb: HookVerb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run a command in a bottle
    Run(Box<RunArgs>),
    /// List bottles
    Ps(PsArgs),
    /// Run another command in a bottle that runs
    Exec(ExecArgs),
    /// Print what a detached bottle writes
    Logs(LogsArgs),
    /// Ask bottles to end, and kill those that do not in time
    Stop(StopArgs),
    /// Send bottles a signal
    Kill(KillArgs),
    /// Print all that is known of bottles, as JSON
    Inspect(InspectArgs),
    /// Forget bottles that have ended; their evidence stays
    Rm(RmArgs),
    /// Say whether a policy lets a destination through, by which rule, and what would change that
    Why(WhyArgs),
    /// Check and show policies
    #[command(subcommand)]
    Policy(PolicyVerb),
    /// Verify and show audit logs
    #[command(subcommand)]
    Audit(AuditVerb),
    /// Verify and show attestations, and make the key that signs them
    #[command(subcommand)]
    Attest(AttestVerb),
    /// Pull, load, list and remove images
    #[command(subcommand)]
    Image(ImageVerb),
    /// List and remove what `run --keep` has kept
    #[command(subcommand)]
    Keep(KeepVerb),
    /// Put the airlock under containers that runc, crun or podman start
    #[command(subcommand)]
    Hook(HookVerb),
    /// Say what this host can and cannot do, and how to mend it
    Doctor(DoctorArgs),
    /// Show the whole of it, offline, in a sealed lab
    #[command(after_help = "Exit code: 0 all is as claimed, 1 something is not, 2 the demo could not be set up.")]
    Demo,
}

/// `bottle doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Exit code: 0 bottle can run here, 1 something stops it, 2 usage or I/O.")]
pub struct DoctorArgs {
    /// Print the answers as JSON
    #[arg(long)]
    pub json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
        RunAlone::command().debug_assert();
        HookAlone::command().debug_assert();
    }

    #[test]
    fn run_and_hook_alone_are_understood_as_among_all_verbs() {
        let lines = [
            "bottle run host",
            "bottle run -it --rm -e A=b -e C host -- sh -c -x --help",
            "bottle run --policy p.yaml -p 8080:80 --memory 1g image run --version",
            "bottle run -d --name n --allow x.example image",
            "bottle run",
            "bottle run --no-such-option host",
            "bottle run --help",
            "bottle run --version",
            "bottle run -V",
            "bottle run host --memory",
            "bottle run --memory never host",
            "bottle hook create",
            "bottle hook create --joins --settings /s.json",
            "bottle hook install --print",
            "bottle hook stop",
            "bottle hook stop more",
            "bottle hook nothing",
            "bottle hook create --help",
            "bottle hook help create",
            "bottle hook --version",
            "bottle hook",
            "bottle ps --json",
            "bottle",
        ];
        for line in lines {
            let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let told = |parsed: Result<Cli, clap::Error>| {
                parsed.map(|cli| format!("{cli:?}")).map_err(|error| (error.exit_code(), error.to_string()))
            };
            assert_eq!(told(Cli::of(&arguments)), told(Cli::try_parse_from(&arguments)), "{line}");
        }
    }
}
