//! What was typed? The verbs, their options and their help texts.

use std::path::PathBuf;
use std::time::Duration;

use bottle_evidence::{Digest, Time};
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Run a command where the only way out is a door that someone watches.
#[derive(Debug, Parser)]
#[command(
    name = "bottle",
    version,
    max_term_width = 100,
    disable_help_subcommand = true
)]
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
}

/// What may be reached.
#[derive(Debug, Default, Args)]
pub struct PolicyArgs {
    /// A policy file; may be given several times, and then what any of them allows is allowed
    #[arg(long, value_name = "FILE")]
    pub policy: Vec<PathBuf>,
    /// Allow one destination: NAME means TLS on port 443; tcp://NAME:PORT, tls://NAME:PORT and
    /// http://NAME say more
    #[arg(long, value_name = "[tls|tcp|http://]NAME[:PORT]")]
    pub allow: Vec<String>,
    /// enforce: only what is allowed. observe: everything but private and metadata addresses,
    /// recorded
    #[arg(
        long,
        value_enum,
        value_name = "enforce|observe",
        hide_possible_values = true
    )]
    pub mode: Option<ModeArg>,
    /// The same as --mode observe
    #[arg(long, conflicts_with_all = ["policy", "allow", "mode"])]
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

/// `bottle run`.
#[derive(Debug, Args)]
#[command(after_help = RUN_HELP, override_usage = "bottle run [OPTIONS] IMAGE [--] [COMMAND [ARG...]]")]
pub struct RunArgs {
    /// What may be reached.
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// Set a variable inside; KEY alone takes it from the caller's environment
    #[arg(short, long, value_name = "KEY[=VALUE]")]
    pub env: Vec<String>,
    /// Show a host file or directory inside, read-write unless :ro is added
    #[arg(short, long, value_name = "HOST:INSIDE[:ro]")]
    pub volume: Vec<String>,
    /// The working directory inside
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<PathBuf>,
    /// Read the terminal, too, when standard input is one
    #[arg(short, long)]
    pub interactive: bool,
    /// Give the command a terminal of the bottle's own
    #[arg(short, long)]
    pub tty: bool,
    /// Set HTTPS_PROXY and its friends inside, for programs that need to be told
    #[arg(long)]
    pub proxy_env: bool,
    /// Where the audit log goes (default: the run's own directory)
    #[arg(long, value_name = "FILE")]
    pub audit: Option<PathBuf>,
    /// Where the attestation goes (default: the run's own directory)
    #[arg(long, value_name = "FILE")]
    pub attestation: Option<PathBuf>,
    /// The private key that signs both (default: one that is made on first use)
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Kill the command after this time: 90, 90s, 15m, 2h
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// The image, then the command: all that follows IMAGE belongs to the command.
    #[arg(required = true, trailing_var_arg = true, num_args = 1.., hide = true)]
    pub image_and_command: Vec<String>,
}

const RUN_HELP: &str = "\
Arguments:
  IMAGE    host       this machine's own programs, and the working directory read-write
           dir:PATH   a root file system in a directory
  COMMAND  runs inside; what follows IMAGE is never read as an option of bottle

Without --policy and --allow nothing can be reached.

Exit code: the command's own; 128+N after signal N; 125 bottle failed or was misused and nothing ran;
126 the command cannot be executed; 127 there is no such command.

Examples:
  bottle run --allow api.github.com host -- curl -sI https://api.github.com
  bottle run --policy agent.yaml --audit a.jsonl host -- npm install";

/// `bottle why`.
#[derive(Debug, Args)]
#[command(after_help = "Exit code: 0 it is allowed, 1 it is denied, 2 usage or I/O.")]
pub struct WhyArgs {
    /// A name or an address; port 443 if none is given
    #[arg(value_name = "NAME[:PORT]")]
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
        /// What may be reached.
        #[command(flatten)]
        policy: PolicyArgs,
        /// Print only canonical JSON, the bytes that the digest is of
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of a policy file
    Schema,
}

/// `bottle audit`.
#[derive(Debug, Subcommand)]
pub enum AuditVerb {
    /// Check the chain, every seal and every run's end; name the first entry that is wrong
    #[command(after_help = "Exit code: 0 complete and untouched, 1 not, 2 usage or I/O.")]
    Verify(AuditVerifyArgs),
    /// Print the entries, without checking them
    Show {
        /// The audit log
        file: PathBuf,
        /// Print the entries as they are, one JSON object a line
        #[arg(long)]
        json: bool,
    },
}

/// `bottle audit verify`.
#[derive(Debug, Args)]
pub struct AuditVerifyArgs {
    /// The audit log
    pub file: PathBuf,
    /// A public key that may have signed it (default: this machine's own)
    #[arg(long, value_name = "FILE")]
    pub key: Vec<PathBuf>,
    /// An attestation that one of the log's runs must have started behind, signed by the same keys
    #[arg(long, value_name = "FILE")]
    pub attestation: Option<PathBuf>,
    /// A line that someone has seen, which must still be there: what `head` said when it was verified
    #[arg(long, value_name = "SEQ:HASH", value_parser = parse_head)]
    pub head: Option<(u64, Digest)>,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// `bottle attest`.
#[derive(Debug, Subcommand)]
pub enum AttestVerb {
    /// Check an attestation's signature and that it claims all that it must
    #[command(after_help = "Exit code: 0 it holds, 1 it does not, 2 usage or I/O.")]
    Verify(AttestVerifyArgs),
    /// Print what an attestation says, without checking it
    Show {
        /// The attestation
        file: PathBuf,
        /// Print the statement as JSON
        #[arg(long)]
        json: bool,
    },
    /// Make the signing key if there is none, and print its public key
    Keygen {
        /// The private key (default: the one that `run` uses)
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
}

/// `bottle attest verify`.
#[derive(Debug, Args)]
pub struct AttestVerifyArgs {
    /// The attestation
    pub file: PathBuf,
    /// A public key that may have signed it (default: this machine's own)
    #[arg(long, value_name = "FILE")]
    pub key: Vec<PathBuf>,
    /// It must bind what these rules mean; without --policy, --allow and --mode any policy will do
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// It must carry this nonce, in hex
    #[arg(long, value_name = "HEX")]
    pub nonce: Option<Digest>,
    /// It must have been issued no longer ago than this: 90, 90s, 15m, 2h
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub max_age: Option<Duration>,
    /// Judge it as of this moment, as 2026-01-02T03:04:05.000006Z (default: now)
    #[arg(long, value_name = "TIME")]
    pub at: Option<Time>,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// `bottle doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Exit code: 0 bottle can run here, 1 something stops it, 2 usage or I/O.")]
pub struct DoctorArgs {
    /// Print the answers as JSON
    #[arg(long)]
    pub json: bool,
}

impl RunArgs {
    /// The image and the command; the first `--` after the image separates and is dropped.
    pub fn split(&self) -> (&str, &[String]) {
        match self.image_and_command.split_first() {
            Some((image, [separator, command @ ..])) if separator == "--" => (image, command),
            Some((image, command)) => (image, command),
            None => ("", &[]),
        }
    }
}

impl PolicyArgs {
    /// Whether any of the options was given.
    pub fn is_given(&self) -> bool {
        self.allow_all || self.mode.is_some() || !self.policy.is_empty() || !self.allow.is_empty()
    }
}

/// `SEQ:HASH`.
fn parse_head(text: &str) -> Result<(u64, Digest), String> {
    let (seq, hash) = text
        .split_once(':')
        .ok_or("a number, a colon and a hash are expected")?;
    let seq = seq
        .parse()
        .map_err(|_| "not a sequence number".to_owned())?;
    let hash: Digest = hash
        .parse()
        .map_err(|error: bottle_evidence::digest::NotADigest| error.to_string())?;
    Ok((seq, hash))
}

/// A whole number of seconds, or of the unit that follows it.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let seconds = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        unit => return Err(format!("no such unit of time: {unit}; write s, m or h")),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| "not a number of seconds".to_owned())?;
    match number.checked_mul(seconds) {
        Some(total @ 1..) => Ok(Duration::from_secs(total)),
        _ => Err("not a time that can pass".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn run(line: &str) -> RunArgs {
        match Cli::try_parse_from(line.split(' ')).expect(line).verb {
            Verb::Run(run) => run,
            other => panic!("{other:?}"),
        }
    }

    fn command(line: &str) -> Vec<String> {
        let run = run(line);
        let (image, command) = run.split();
        assert_eq!(image, "host", "{line}");
        command.to_vec()
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_follows_the_image_is_the_command() {
        assert_eq!(command("bottle run host npm install"), ["npm", "install"]);
        assert_eq!(
            command("bottle run host curl -sI https://a.example"),
            ["curl", "-sI", "https://a.example"]
        );
        assert_eq!(
            command("bottle run --allow x.example host -- curl -v -e k"),
            ["curl", "-v", "-e", "k"]
        );
        assert_eq!(command("bottle run host"), [""; 0]);
        assert_eq!(command("bottle run host --policy x"), ["--policy", "x"]);
        assert_eq!(command("bottle run host --help"), ["--help"]);
    }

    #[test]
    fn only_the_separator_right_after_the_image_is_dropped() {
        assert_eq!(
            command("bottle run host -- npm run -- x"),
            ["npm", "run", "--", "x"]
        );
        assert_eq!(
            command("bottle run host npm run -- x"),
            ["npm", "run", "--", "x"]
        );
        assert_eq!(command("bottle run host -- -- x"), ["--", "x"]);
    }

    #[test]
    fn options_before_the_image_are_bottles() {
        let run = run(
            "bottle run --allow a.example --allow tcp://b.example:22 -e A=1 -e B -it -w /x host true",
        );
        assert_eq!(run.policy.allow, ["a.example", "tcp://b.example:22"]);
        assert_eq!(run.env, ["A=1", "B"]);
        assert!(run.interactive && run.tty);
        assert_eq!(run.split(), ("host", &["true".to_owned()][..]));
    }

    #[test]
    fn allow_all_excludes_a_policy() {
        for line in [
            "bottle run --allow-all --policy p.yaml host true",
            "bottle run --allow-all --allow a.example host true",
            "bottle run --allow-all --mode enforce host true",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        assert_eq!(parse_duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(parse_duration("2h"), Ok(Duration::from_secs(7200)));
        for wrong in [
            "",
            "s",
            "0",
            "-1",
            "1d",
            "1.5h",
            "99999999999999999999",
            "9999999999999999999h",
        ] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
