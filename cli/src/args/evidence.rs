//! What do `bottle audit` and `bottle attest` take?

use std::path::PathBuf;
use std::time::Duration;

use bottle_evidence::{BootId, Digest, Time};
use clap::{Args, Subcommand, ValueEnum};

use super::life::{Tail, tail};
use super::policy::PolicyArgs;
use super::value::{boot_id, digest, duration, head, moment, pcr};

/// `bottle audit`.
#[derive(Debug, Subcommand)]
pub enum AuditVerb {
    /// Check the chain, every seal and every run's end; name the first entry that is wrong
    #[command(after_help = "Exit code: 0 complete and untouched, 1 not, 2 usage or I/O.")]
    Verify(AuditVerifyArgs),
    /// Print the entries, without checking them
    Show(AuditShowArgs),
    /// Print the last entries and those that come, until the run is over, without checking them
    Tail {
        /// What to print
        #[command(flatten)]
        show: AuditShowArgs,
        /// How many of those that are there; `all` for all of them
        #[arg(short = 'n', long, default_value = "10", value_name = "LINES", value_parser = tail)]
        lines: Tail,
    },
    /// Put one run's part of a log, its attestation and its policy into one signed file, which `bottle audit verify` takes anywhere
    Export(AuditExportArgs),
    /// Remove the evidence of runs that are over and closed in their log, and their lines in `ps -a`, the oldest first. A log that
    /// was written elsewhere, to --audit, stays there, and so does what belongs to it
    Prune(AuditPruneArgs),
}

/// `bottle audit export`.
#[derive(Debug, Args)]
pub struct AuditExportArgs {
    /// The audit log, or a bottle's name or id
    #[arg(value_name = "FILE|NAME")]
    pub log: PathBuf,
    /// The file to make
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Of a log of several runs, this one (default: the last, or the bottle's own)
    #[arg(long, value_name = "ID")]
    pub run: Option<String>,
    /// The attestation that it began behind (default: where `run` puts it)
    #[arg(long, value_name = "FILE")]
    pub attestation: Option<PathBuf>,
    /// The policy in force, as `bottle policy show --json` prints it (default: where `run` puts it)
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// The private key that signs it, which must be the run's or have taken its place (default: this machine's own)
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
}

/// `bottle audit prune`.
#[derive(Debug, Args)]
#[group(id = "what", required = true, multiple = true, args = ["older_than", "keep"])]
pub struct AuditPruneArgs {
    /// Remove what ended longer ago than this: 12h, 30d
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub older_than: Option<Duration>,
    /// Keep the youngest that take no more than this together: 500m, 2g
    #[arg(long, value_name = "SIZE", value_parser = bottle_runtime::cgroups::bytes)]
    pub keep: Option<u64>,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Which entries of which log, and how.
#[derive(Debug, Args)]
pub struct AuditShowArgs {
    /// The audit log, or a bottle's name or id
    #[arg(value_name = "FILE|NAME")]
    pub log: PathBuf,
    /// Only what was decided so, and what became of it; may be given several times
    #[arg(long, value_enum, value_name = "allow|observe|escalate|deny", hide_possible_values = true)]
    pub decision: Vec<ChoiceArg>,
    /// Only what has to do with this name, *.NAME or address
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Only what this process wanted, by its id on the host
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,
    /// Print the entries as they are, one JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// `--decision`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ChoiceArg {
    /// A rule allows it.
    Allow,
    /// The mode lets it pass.
    Observe,
    /// An operator is asked.
    Escalate,
    /// No.
    Deny,
}

/// `bottle audit verify`.
#[derive(Debug, Args)]
pub struct AuditVerifyArgs {
    /// The audit log, an export, or a bottle's name or id
    #[arg(value_name = "FILE|NAME")]
    pub log: PathBuf,
    /// A public key that may have signed it, or a directory of such in files *.pub (default: this machine's own)
    #[arg(long, value_name = "FILE|DIR")]
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
    /// Measure a running bottle again, and print a new attestation that carries a verifier's nonce
    #[command(
        after_help = "All that can be measured while it runs is, and the gate answers the nonce; what is not as it was attested ends the\n\
                      bottle. The new attestation is on record in its audit log as `run.renew` before it is printed.\n\n\
                      Exit code: 0 attested, 1 not, 2 usage or I/O."
    )]
    Renew(AttestRenewArgs),
    /// Print what an attestation says, without checking it
    Show {
        /// The attestation, or a bottle's name or id
        #[arg(value_name = "FILE|NAME")]
        attestation: PathBuf,
        /// Print the statement as JSON
        #[arg(long)]
        json: bool,
    },
    /// Make the signing key if there is none, and print its public key
    Keygen {
        /// The private key (default: the one that `run` uses)
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Make another one in its place: the old private key is gone then, and what it signed until now still verifies
        #[arg(long, conflicts_with = "seal")]
        rotate: bool,
        /// Have a TPM 2.0 keep it: its file is worth nothing without that TPM. Rotated, it stays so
        #[arg(long)]
        seal: bool,
        /// Have it given back only while these PCRs of the SHA-256 bank have the values that they have now: 0,2,7
        #[arg(long, value_name = "N,N", value_delimiter = ',', requires = "seal", value_parser = clap::value_parser!(u8).range(0..24))]
        pcrs: Vec<u8>,
        /// The TPM: a device, or swtpm's socket (default: $BOTTLE_TPM, else /dev/tpmrm0)
        #[arg(long, value_name = "PATH")]
        tpm: Option<PathBuf>,
    },
    /// Print the key that signs a TPM's quotes, for `attest verify --tpm-ak`. Do so on the machine itself, when you trust it
    TpmKey {
        /// The TPM: a device, or swtpm's socket (default: $BOTTLE_TPM, else /dev/tpmrm0)
        #[arg(long, value_name = "PATH")]
        tpm: Option<PathBuf>,
    },
    /// List the signing key and those that it took the place of, by their ids
    Keys {
        /// The private key (default: the one that `run` uses)
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Print the answer as JSON
        #[arg(long)]
        json: bool,
    },
}

/// `bottle attest renew`.
#[derive(Debug, Args)]
pub struct AttestRenewArgs {
    /// The bottle's name, or the beginning of its id
    pub name: String,
    /// What the verifier gave, 64 hex digits
    #[arg(long, value_name = "HEX", value_parser = digest)]
    pub nonce: Digest,
    /// Where it goes (default: standard output)
    #[arg(long, value_name = "FILE")]
    pub attestation: Option<PathBuf>,
}

/// What `bottle attest verify` exits with; the names are in --json too. See [`bottle_evidence::verify::Refusal`].
const REFUSALS: &str = "\
Exit code: 0 it holds, 2 usage or I/O, and what it fails in:
  10 Malformed                   no attestation, or not in its one form
  11 WrongKey                    signed by a key that is not trusted, or was retired by then
  12 BadSignature                changed since it was signed
  13 MissingEgressProxyBinding   a fact or probe that makes a binding is missing
  14 ProbeFailed                 something got through that must not
  15 NotYetValid                 issued later than now, or than --at
  16 Expired                     over, or older than --max-age
  17 NonceMismatch               no answer to --nonce
  18 ModeNotEnforced             observes only
  19 ModeNotObserved             enforces, and --mode observe was demanded
  20 DigestMismatch              another policy, image or binary
  21 OtherBoot                   another boot than --boot-id, or than this one
  22 OtherNamespace              another bottle than --running
With --tpm-ak:
  30 QuoteMissing                no TPM said anything
  31 QuoteMalformed              what it said has not the form
  32 QuoteWrongKey               another TPM said it
  33 QuoteBadSignature           changed since it was signed
  34 QuoteMismatch               said for another run, nonce or key
  35 PcrMismatch                 of other values, or not those of --pcr";

/// `bottle attest verify`.
#[derive(Debug, Args)]
pub struct AttestVerifyArgs {
    /// The attestation, or a bottle's name or id
    #[arg(value_name = "FILE|NAME")]
    pub attestation: PathBuf,
    /// A public key that may have signed it, or a directory of such in files *.pub (default: this machine's own)
    #[arg(long, value_name = "FILE|DIR")]
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
    /// It must be of this boot of a machine: what /proc/sys/kernel/random/boot_id says there
    #[arg(long, value_name = "ID", value_parser = boot_id)]
    pub boot_id: Option<BootId>,
    /// It must be of this bottle, which runs here now: of its first process, its network namespace and this boot
    #[arg(long, value_name = "NAME")]
    pub running: Option<String>,
    /// It must have been issued no longer ago than this: 90, 90s, 15m, 2h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub max_age: Option<Duration>,
    /// It must have a quote by this TPM's key, as `bottle attest tpm-key` prints it there
    #[arg(long, value_name = "FILE")]
    pub tpm_ak: Option<PathBuf>,
    /// A PCR must have had this value, 64 hex digits; may be given several times
    #[arg(long, value_name = "N=HEX", requires = "tpm_ak", value_parser = pcr)]
    pub pcr: Vec<(u8, Digest)>,
    /// Judge it as of this moment, as 2026-01-02T03:04:05Z (default: now)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub at: Option<Time>,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}
