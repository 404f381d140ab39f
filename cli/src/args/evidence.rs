//! What do `bottle audit` and `bottle attest` take?

use std::path::PathBuf;
use std::time::Duration;

use bottle_evidence::{Digest, Time};
use clap::{Args, Subcommand};

use super::policy::PolicyArgs;
use super::value::{digest, duration, head, moment};

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
    #[arg(long, value_name = "SEQ:HASH", value_parser = head)]
    pub head: Option<(u64, Digest)>,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// `bottle attest`.
#[derive(Debug, Subcommand)]
pub enum AttestVerb {
    /// Check an attestation's signature and that it claims all that it must
    #[command(after_help = REFUSALS)]
    Verify(Box<AttestVerifyArgs>),
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

/// What `bottle attest verify` exits with; the names are in --json too. See [`bottle_evidence::verify::Refusal`].
const REFUSALS: &str = "\
Exit code: 0 it holds, 2 usage or I/O, and what it fails in:
  10 Malformed                   no attestation, or not in its one form
  11 WrongKey                    signed by a key that is not trusted
  12 BadSignature                changed since it was signed
  13 MissingEgressProxyBinding   a fact or probe that makes a binding is missing
  14 ProbeFailed                 something got through that must not
  15 NotYetValid                 issued later than now, or than --at
  16 Expired                     over, or older than --max-age
  17 NonceMismatch               no answer to --nonce
  18 ModeNotEnforced             observes only
  19 ModeNotObserved             enforces, and --mode observe was demanded
  20 DigestMismatch              another policy, image or binary";

/// `bottle attest verify`.
#[derive(Debug, Args)]
pub struct AttestVerifyArgs {
    /// The attestation
    pub file: PathBuf,
    /// A public key that may have signed it (default: this machine's own)
    #[arg(long, value_name = "FILE")]
    pub key: Vec<PathBuf>,
    /// It must bind what these rules mean; without --policy, --preset and --allow any policy will do, and with --mode alone
    /// any of this mode
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// It must carry this nonce, 64 hex digits
    #[arg(long, value_name = "HEX", value_parser = digest)]
    pub nonce: Option<Digest>,
    /// It must be of the image with this digest, as `bottle image ls` shows it
    #[arg(long, value_name = "sha256:HEX", value_parser = digest)]
    pub image: Option<Digest>,
    /// It must have been made by the program with this digest, as sha256sum shows it
    #[arg(long, value_name = "sha256:HEX", value_parser = digest)]
    pub binary: Option<Digest>,
    /// It must have been issued no longer ago than this: 90, 90s, 15m, 2h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub max_age: Option<Duration>,
    /// Judge it as of this moment, as 2026-01-02T03:04:05Z (default: now)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub at: Option<Time>,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}
