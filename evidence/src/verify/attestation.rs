//! Does an attestation hold, and is it the one that was expected?

use std::time::Duration;

use serde_json::Value;

use crate::audit::Workload;
use crate::boot::BootId;
use crate::canonical;
use crate::digest::{Digest, sha256};
use crate::dsse::{self, Envelope};
use crate::key::{KeyId, PublicKey};
use crate::predicate::{
    AGENT_NAMESPACE, BOOT_ID, Mode, Predicate, Probe, REQUIRED_FACTS, RequiredFact, RequiredProbe, WORKLOAD_IDENTITY,
};
use crate::statement::{PREDICATE, STATEMENT, Statement, Subjects};
use crate::time::Time;
use crate::verify::VerifyError;

/// What a verifier expects, beyond what every attestation must say. Start from [`Expect::at`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expect {
    /// The moment at which it must be valid.
    pub now: Time,
    /// How old it may be at most.
    pub max_age: Option<Duration>,
    /// The nonce that the verifier gave.
    pub nonce: Option<Digest>,
    /// What the policy must do.
    pub mode: Option<Mode>,
    /// The policy's digest.
    pub policy: Option<Digest>,
    /// The image's digest.
    pub image: Option<Digest>,
    /// The digest of the bottle executable.
    pub binary: Option<Digest>,
    /// The boot of the machine that it must be of.
    pub boot: Option<BootId>,
    /// The bottle that it must be of.
    pub living: Option<Living>,
}

/// A bottle that lives: what its processes and namespaces are now, by the kernel's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Living {
    /// The first process.
    pub workload: Workload,
    /// The inode number of the network namespace that it is in.
    pub network: u64,
}

impl Expect {
    /// An attestation that is valid at this moment, and nothing else.
    pub fn at(now: Time) -> Expect {
        Expect {
            now,
            max_age: None,
            nonce: None,
            mode: None,
            policy: None,
            image: None,
            binary: None,
            boot: None,
            living: None,
        }
    }
}

/// An attestation that was verified. Nothing else makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    digest: Digest,
    keys: Vec<KeyId>,
    state: Digest,
    subjects: Subjects,
    predicate: Predicate,
}

impl Verified {
    /// SHA-256 of the envelope, as `run.start` names it.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Who signed.
    pub fn keys(&self) -> &[KeyId] {
        &self.keys
    }

    /// The digest of what was measured.
    pub fn state(&self) -> Digest {
        self.state
    }

    /// What it speaks of.
    pub fn subjects(&self) -> Subjects {
        self.subjects
    }

    /// What it says.
    pub fn predicate(&self) -> &Predicate {
        &self.predicate
    }
}

/// Verifies an attestation: signed by these keys, canonical, complete, and as expected.
pub fn verify_attestation(envelope: &[u8], keys: &[PublicKey], expect: &Expect) -> Result<Verified, VerifyError> {
    let digest = sha256(envelope);
    let envelope = Envelope::from_bytes(envelope)?;
    let payload = envelope.verify(dsse::IN_TOTO, keys)?;
    let statement: Statement = canonical::read(&payload).map_err(VerifyError::Statement)?;
    if statement.kind != STATEMENT {
        return Err(VerifyError::StatementType);
    }
    envelope.signed_in_time(keys, statement.predicate.issued)?;
    let subjects = check_subjects(&statement)?;
    REQUIRED_FACTS.iter().try_for_each(|required| check_fact(&statement.predicate, required))?;
    let state = statement.state().ok_or(VerifyError::StateMismatch)?;
    let predicate = statement.predicate;
    let (probes, ways) = predicate.stage.required_probes();
    probes.iter().try_for_each(|required| check_probe(&predicate, required, ways))?;
    predicate.probes.iter().try_for_each(check_held)?;
    check_validity(&predicate, expect)?;
    check_expected(&predicate, &subjects, expect)?;
    let keys = envelope.signatures.iter().map(|signed| signed.keyid).collect();
    Ok(Verified { digest, keys, state, subjects, predicate })
}

fn check_subjects(statement: &Statement) -> Result<Subjects, VerifyError> {
    if statement.predicate_type != PREDICATE {
        return Err(VerifyError::PredicateType);
    }
    statement.subjects().ok_or(VerifyError::Subjects)
}

fn check_fact(predicate: &Predicate, required: &RequiredFact) -> Result<(), VerifyError> {
    let (name, must) = (required.name, required.basis);
    let fact = predicate.facts.get(name).ok_or(VerifyError::MissingFact(name))?;
    if fact.says_nothing() {
        return Err(VerifyError::EmptyFact(name));
    }
    if fact.basis < must { Err(VerifyError::WrongBasis { name, is: fact.basis, must }) } else { Ok(()) }
}

fn check_probe(predicate: &Predicate, required: &RequiredProbe, ways: &[bool]) -> Result<(), VerifyError> {
    let name = required.name;
    for confined in ways.iter().copied() {
        let named = |probe: &&Probe| probe.name.as_str() == name && probe.confined == confined;
        let mut probes = predicate.probes.iter().filter(named);
        let probe = probes.next().ok_or(VerifyError::MissingProbe { name, confined })?;
        if probes.next().is_some() {
            return Err(VerifyError::RepeatedProbe { name, confined });
        }
        if !required.expects(probe.expected.as_str()) {
            return Err(VerifyError::WrongExpectation { name, confined });
        }
    }
    Ok(())
}

fn check_held(probe: &Probe) -> Result<(), VerifyError> {
    if probe.held && probe.expected == probe.observed {
        Ok(())
    } else {
        Err(VerifyError::ProbeFailed(Box::new(probe.clone())))
    }
}

fn check_validity(predicate: &Predicate, expect: &Expect) -> Result<(), VerifyError> {
    let Predicate { issued, expires, .. } = *predicate;
    if expires <= issued {
        return Err(VerifyError::NeverValid);
    }
    if expect.now < issued {
        return Err(VerifyError::NotYetValid(issued));
    }
    if expect.now >= expires {
        return Err(VerifyError::Expired(expires));
    }
    let old = expect.max_age.is_some_and(|most| expect.now.since(issued) > most);
    if old { Err(VerifyError::TooOld(issued)) } else { Ok(()) }
}

fn check_expected(predicate: &Predicate, subjects: &Subjects, expect: &Expect) -> Result<(), VerifyError> {
    if differs(expect.nonce, predicate.nonce) {
        return Err(VerifyError::NonceMismatch);
    }
    if differs(expect.mode, predicate.mode) {
        return Err(VerifyError::WrongMode(predicate.mode));
    }
    if differs(expect.policy, subjects.policy) {
        return Err(VerifyError::PolicyMismatch(subjects.policy));
    }
    if differs(expect.image, subjects.image) {
        return Err(VerifyError::ImageMismatch(subjects.image));
    }
    if differs(expect.binary, subjects.binary) {
        return Err(VerifyError::BinaryMismatch(subjects.binary));
    }
    check_place(predicate, expect)
}

/// Whether it is of this boot, and of this bottle: no other process of a boot has the same id and start.
fn check_place(predicate: &Predicate, expect: &Expect) -> Result<(), VerifyError> {
    let value = |name: &str| predicate.facts.get(name).map_or(&Value::Null, |fact| &fact.value);
    let boot = value(BOOT_ID);
    if expect.boot.is_some_and(|expected| boot.as_str().and_then(|text| text.parse().ok()) != Some(expected)) {
        return Err(VerifyError::OtherBoot(Box::new(boot.clone())));
    }
    let Some(living) = expect.living else { return Ok(()) };
    if value(AGENT_NAMESPACE)["inode"].as_u64() != Some(living.network) {
        return Err(VerifyError::OtherNamespace(AGENT_NAMESPACE));
    }
    let same = serde_json::to_value(living.workload).is_ok_and(|expected| expected == *value(WORKLOAD_IDENTITY));
    if same { Ok(()) } else { Err(VerifyError::OtherNamespace(WORKLOAD_IDENTITY)) }
}

fn differs<T: PartialEq>(expected: Option<T>, is: T) -> bool {
    expected.is_some_and(|expected| expected != is)
}
