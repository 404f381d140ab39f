//! What was typed? The verbs, their options and their help texts.

mod evidence;
pub mod habits;
mod policy;
mod run;
mod value;

use clap::{Args, Parser, Subcommand};

pub use evidence::{AttestVerb, AttestVerifyArgs, AuditVerb, AuditVerifyArgs};
pub use policy::{ModeArg, PolicyArgs, PolicyVerb, WhyArgs};
pub use run::RunArgs;

/// Run a command where the only way out is a door that someone watches.
#[derive(Debug, Parser)]
#[command(name = "bottle", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run a command in a bottle
    Run(RunArgs),
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
    }
}
