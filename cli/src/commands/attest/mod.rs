//! `bottle attest`: does this attestation hold, what does it say, what holds now, and who signs?

mod key;
mod quoted;
mod renew;
mod text;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use base64ct::{Base64, Encoding};
use bottle_evidence::dsse::{Envelope, EnvelopeError};
use bottle_evidence::predicate;
use bottle_evidence::quote::QuoteError;
use bottle_evidence::statement::Statement;
use bottle_evidence::verify::{Expect, Verified, VerifyError, verify_attestation};
use bottle_evidence::{Digest, Time};
use bottle_policy::rules::Mode;
use bottle_runtime::bounded;
use bottle_runtime::caller::Caller;
use bottle_runtime::records;
use serde_json::json;

use crate::args::{AttestVerb, AttestVerifyArgs};
use crate::commands::bottles;
use crate::keys;
use crate::report::{Failure, Reporter};
use crate::{rules, stdout};

/// An attestation that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be read.
    #[error("cannot read the attestation {}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no attestation.
    #[error("{} is not an attestation: {why}", path.display())]
    Form {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// The kernel does not say which boot this is.
#[derive(Debug, thiserror::Error)]
#[error("cannot read /proc/sys/kernel/random/boot_id")]
struct NoBoot(#[source] std::io::Error);

/// An attestation that was not accepted.
#[derive(Debug, thiserror::Error)]
#[error("the attestation {} does not hold: {}", path.display(), source.name())]
struct NotAccepted {
    path: PathBuf,
    source: Refused,
}

/// Why it was not.
#[derive(Debug, thiserror::Error)]
enum Refused {
    /// It does not hold itself.
    #[error(transparent)]
    Attestation(VerifyError),
    /// The quote in it does not.
    #[error(transparent)]
    Quote(QuoteError),
}

impl Refused {
    fn name(&self) -> String {
        match self {
            Refused::Attestation(error) => error.refusal().to_string(),
            Refused::Quote(error) => error.refusal().to_string(),
        }
    }

    fn code(&self) -> u8 {
        match self {
            Refused::Attestation(error) => error.refusal() as u8,
            Refused::Quote(error) => error.refusal() as u8,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Refused::Attestation(error) => hint(error),
            Refused::Quote(error) => quoted::hint(error).map(str::to_owned),
        }
    }
}

/// Runs the verb.
pub fn run(verb: &AttestVerb, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    match verb {
        AttestVerb::Verify(args) => {
            verify(&bottles::evidence(&args.attestation, caller, |record| &record.attestation)?, args, caller, reporter)
        }
        AttestVerb::Renew(args) => renew::run(args, caller),
        AttestVerb::Show { attestation, json } => {
            show(&bottles::evidence(attestation, caller, |record| &record.attestation)?, *json)
        }
        AttestVerb::Keygen { key, rotate: true, tpm, .. } => {
            key::rotate(key.as_deref(), tpm.as_deref(), caller, reporter)
        }
        AttestVerb::Keygen { key, seal, pcrs, tpm, .. } => {
            let pcrs = seal.then_some(pcrs.as_slice());
            key::make(key.as_deref(), pcrs, tpm.as_deref(), caller, reporter)
        }
        AttestVerb::TpmKey { tpm } => quoted::key(tpm.as_deref(), caller),
        AttestVerb::Keys { key, json } => key::list(key.as_deref(), *json, caller),
    }
}

fn verify(file: &Path, args: &AttestVerifyArgs, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    let keys = keys::trusted(&args.key, caller)?;
    let expect = expected(args, caller, reporter)?;
    let bytes = read(file)?;
    let demanded = quoted::demanded(args)?;
    let verified = verify_attestation(&bytes, &keys, &expect).map_err(Refused::Attestation);
    let verified = verified.and_then(|verified| {
        demanded.map_or(Ok(()), |demanded| demanded.check(&verified)).map_err(Refused::Quote)?;
        Ok(verified)
    });
    if args.json {
        let problem = verified.as_ref().err().map(ToString::to_string);
        let refusal = verified.as_ref().err().map(Refused::name);
        let said = verified.as_ref().ok().map(as_json);
        stdout::json(&json!({ "ok": verified.is_ok(), "refusal": refusal, "problem": problem, "attestation": said }))?;
    }
    match verified {
        Ok(verified) if !args.json => {
            stdout::line(&text::verified(file, &verified))?;
            expectations(args).into_iter().try_for_each(|met| stdout::line(&format!("as expected: {met}")))?;
        }
        Ok(_) => {}
        Err(source) => {
            let (hint, code) = (source.hint(), source.code());
            let failure = Failure::new(NotAccepted { path: file.to_owned(), source });
            reporter.failure(&Failure { hint, ..failure });
            return Ok(ExitCode::from(code));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What the options demand.
fn expected(args: &AttestVerifyArgs, caller: &Caller, reporter: Reporter) -> Result<Expect, Failure> {
    let mut expect = Expect::at(args.at.unwrap_or_else(|| Time::from(SystemTime::now())));
    expect.max_age = args.max_age;
    expect.nonce = args.nonce;
    expect.image = args.image;
    expect.binary = args.binary;
    expect.boot = args.boot_id;
    if let Some(name) = &args.running {
        let known = bottles::find(&bottles::shelf(caller)?, name)?;
        expect.living = Some(known.living().map_err(Failure::new)?);
        expect.boot = expect.boot.or(Some(records::boot().map_err(|source| Failure::new(NoBoot(source)))?));
    }
    if args.policy.is_given() {
        let rules = rules::stated(&args.policy, caller, reporter)?.rules;
        expect.policy = args.policy.has_rules().then(|| Digest(rules.digest()));
        expect.mode = Some(match rules.mode() {
            Mode::Enforce => predicate::Mode::Enforce,
            Mode::Observe => predicate::Mode::Observe,
        });
    }
    Ok(expect)
}

/// What was demanded beyond what always is.
fn expectations(args: &AttestVerifyArgs) -> Vec<&'static str> {
    let all = [
        (args.policy.has_rules(), "the policy and its mode"),
        (args.policy.is_given() && !args.policy.has_rules(), "the mode"),
        (args.image.is_some(), "the image"),
        (args.binary.is_some(), "the program"),
        (args.nonce.is_some(), "the nonce"),
        (args.max_age.is_some(), "its age"),
        (args.tpm_ak.is_some(), "the TPM's quote"),
        (!args.pcr.is_empty(), "the PCRs"),
        (args.boot_id.is_some() && args.running.is_none(), "the boot"),
        (args.running.is_some(), "the bottle that runs"),
    ];
    all.into_iter().filter(|(demanded, _)| *demanded).map(|(_, what)| what).collect()
}

fn hint(error: &VerifyError) -> Option<String> {
    let text = match error {
        VerifyError::Envelope(EnvelopeError::UnknownKey(_)) => "give the public key of whoever ran it: --key FILE",
        VerifyError::Envelope(EnvelopeError::Read(_) | EnvelopeError::TooLarge(_)) => NO_ATTESTATION,
        VerifyError::Envelope(EnvelopeError::Retired { .. }) => {
            "whoever ran it has a newer key: `bottle attest keygen` prints it there"
        }
        VerifyError::Expired(_) => "--at TIME judges it as of another moment, such as the start of its run",
        VerifyError::OtherNamespace(_) => "`bottle attest renew NAME --nonce N` attests the bottle that runs",
        VerifyError::PolicyMismatch(_) => "give every --policy, --allow and --mode that the run was given",
        _ => return None,
    };
    Some(text.into())
}

/// What an accepted attestation says, for a program.
pub fn as_json(verified: &Verified) -> serde_json::Value {
    let subjects = verified.subjects();
    json!({
        "digest": verified.digest(),
        "keys": verified.keys(),
        "subjects": { "run": verified.state(), "binary": subjects.binary, "image": subjects.image, "policy": subjects.policy },
        "predicate": verified.predicate(),
    })
}

fn show(file: &Path, as_json: bool) -> Result<ExitCode, Failure> {
    let statement = statement(file, &read(file)?)?;
    if as_json {
        stdout::json(&statement)?;
    } else {
        stdout::line(&text::statement(&statement))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What it says, whoever signed.
fn statement(path: &Path, bytes: &[u8]) -> Result<Statement, ReadError> {
    let envelope = envelope(path, bytes)?;
    let form = |why: String| ReadError::Form { path: path.to_owned(), why };
    let payload = Base64::decode_vec(&envelope.payload).map_err(|error| form(error.to_string()))?;
    serde_json::from_slice(&payload).map_err(|error| form(error.to_string()))
}

/// What the bytes of this file are, whoever signed.
pub fn envelope(path: &Path, bytes: &[u8]) -> Result<Envelope, ReadError> {
    let form = |error: EnvelopeError| ReadError::Form { path: path.to_owned(), why: error.to_string() };
    Envelope::from_bytes(bytes).map_err(form)
}

/// The envelope's bytes.
pub fn read(path: &Path) -> Result<Vec<u8>, ReadError> {
    bounded::read(path, bottle_evidence::dsse::MAX_BYTES as u64)
        .map_err(|source| ReadError::File { path: path.to_owned(), source })
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Failure {
        let is_other = matches!(error, ReadError::Form { .. });
        let failure = Failure::new(error);
        if is_other { failure.with_hint(NO_ATTESTATION) } else { failure }
    }
}

const NO_ATTESTATION: &str = "`bottle run --attestation FILE` writes one";
