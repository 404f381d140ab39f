//! Which options say what may be reached, and what does `bottle policy` take?

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::presets::Preset;

/// What may be reached.
#[derive(Clone, Debug, Default, Args)]
pub struct PolicyArgs {
    /// A policy file; may be given several times, and then what any of them allows is allowed
    #[arg(long, value_name = "FILE")]
    pub policy: Vec<PathBuf>,
    /// Allow what a preset allows; may be given several times. `bottle policy presets` lists them
    #[arg(long, value_enum, value_name = "NAME", hide_possible_values = true)]
    pub preset: Vec<Preset>,
    /// Allow one destination; may be given several times. NAME means TLS on port 443; http://NAME is
    /// plain HTTP, tcp://NAME:PORT anything else, such as ssh or a database
    #[arg(long, value_name = "[tls|tcp|http://]NAME[:PORT]")]
    pub allow: Vec<String>,
    /// enforce: only what is allowed. observe: everything but private and metadata addresses,
    /// recorded
    #[arg(long, value_enum, value_name = "enforce|observe", hide_possible_values = true)]
    pub mode: Option<ModeArg>,
    /// The same as --mode observe
    #[arg(long, conflicts_with_all = ["policy", "preset", "allow", "mode"])]
    pub allow_all: bool,
}

/// `--mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModeArg {
    /// Only what is allowed.
    Enforce,
    /// Everything but private and metadata addresses.
    Observe,
}

/// `bottle why`.
#[derive(Debug, Args)]
#[command(after_help = "Exit code: 0 it is allowed, 1 it is denied, 2 usage or I/O.")]
pub struct WhyArgs {
    /// A name or an address; port 443 if none is given. tls://, http:// or tcp:// says what the client
    /// speaks, as in --allow
    #[arg(value_name = "[tls|tcp|http://]NAME[:PORT]")]
    pub destination: String,
    /// What may be reached.
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// `bottle policy`.
#[derive(Debug, Subcommand)]
pub enum PolicyVerb {
    /// Read policy files strictly and say what is wrong with them
    #[command(after_help = "Exit code: 0 all are well, 1 one is not, 2 usage or I/O.")]
    Check {
        /// The files, each checked for itself
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Print the answer as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print what the policy means: the rules in canonical JSON, and their digest
    Show {
        /// Policy files, the same as with --policy
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        /// What may be reached.
        #[command(flatten)]
        policy: PolicyArgs,
        /// Print only canonical JSON, the bytes that the digest is of
        #[arg(long)]
        json: bool,
    },
    /// List the policies that come with the program, or print one as a policy file
    #[command(after_help = PRESETS_HELP)]
    Presets {
        /// The one to print
        #[arg(value_enum, value_name = "NAME", hide_possible_values = true)]
        name: Option<Preset>,
        /// Print the answer as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of a policy file
    Schema,
}

const PRESETS_HELP: &str = "\
npm, pip, cargo and apt are made of the client's own settings: the user's, the system's and the
environment's, mirrors and a company's registries included. A project's own settings are not read: a
command in a bottle may have written them. Proxies are not allowed: whoever reaches one reaches all
that it reaches. Inside, a client sees only the settings that it is given, as by
-v ~/.npmrc:$HOME/.npmrc:ro or -e PIP_INDEX_URL; what these hold of passwords it sees too.

Exit code: 0 printed, 2 usage or I/O, or settings that are not understood.";

impl PolicyArgs {
    /// Whether any of the options was given.
    pub fn is_given(&self) -> bool {
        self.allow_all || self.mode.is_some() || self.has_rules()
    }

    /// Whether they say what may be reached, and not only the mode.
    pub fn has_rules(&self) -> bool {
        [self.policy.is_empty(), self.preset.is_empty(), self.allow.is_empty()].contains(&false)
    }
}
