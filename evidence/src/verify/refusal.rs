//! Why is an attestation not accepted?

use std::fmt;

use serde_json::Value;

use crate::canonical::ReadError;
use crate::digest::Digest;
use crate::dsse::EnvelopeError;
use crate::predicate::{Basis, Mode, Probe};
use crate::time::Time;

/// What kind of refusal it is: names that stay, each with the exit code that `bottle attest verify` has then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
    /// No attestation, or not in its one form.
    Malformed = 10,
    /// Signed by nobody who is trusted, or by a key that had been retired.
    WrongKey = 11,
    /// The signature is of something else.
    BadSignature = 12,
    /// It does not claim all that makes a binding.
    MissingEgressProxyBinding = 13,
    /// Something that must not get out did, or the gate did not answer.
    ProbeFailed = 14,
    /// Of the future.
    NotYetValid = 15,
    /// Over, or older than accepted.
    Expired = 16,
    /// Not the answer to this verifier.
    NonceMismatch = 17,
    /// The policy only observes.
    ModeNotEnforced = 18,
    /// The policy enforces, where one that observes was expected.
    ModeNotObserved = 19,
    /// Another policy, image or binary.
    DigestMismatch = 20,
    /// Of another boot of the machine, or of another machine.
    OtherBoot = 21,
    /// Of another bottle than the one that it was held against.
    OtherNamespace = 22,
}

/// Why an attestation was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The envelope is malformed, or not signed as it should be.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The payload is no statement in canonical form.
    #[error("the statement is {0}")]
    Statement(ReadError),
    /// Not an in-toto statement of version 1.
    #[error("the payload is not an in-toto Statement v1")]
    StatementType,
    /// A statement that says something else.
    #[error("the statement is not about an egress binding")]
    PredicateType,
    /// The subjects are not the run, binary, image and policy.
    #[error("the statement's subjects are not its run, binary, image and policy")]
    Subjects,
    /// The first subject is not what was measured.
    #[error("the digest of the run is not that of what was measured")]
    StateMismatch,
    /// A required fact is missing.
    #[error("the fact {0} is missing")]
    MissingFact(&'static str),
    /// A required fact says nothing.
    #[error("the fact {0} says nothing")]
    EmptyFact(&'static str),
    /// A required fact has a weaker basis than it must have.
    #[error("the fact {name} is {is:?}, and must be {must:?}")]
    WrongBasis {
        /// The fact.
        name: &'static str,
        /// What it is.
        is: Basis,
        /// What it must be at least.
        must: Basis,
    },
    /// A required probe is missing.
    #[error("the probe {name} is missing {}", stage(*.confined))]
    MissingProbe {
        /// The probe.
        name: &'static str,
        /// In which of its two stages.
        confined: bool,
    },
    /// A probe is there twice.
    #[error("the probe {name} is there twice {}", stage(*.confined))]
    RepeatedProbe {
        /// The probe.
        name: &'static str,
        /// In which of its two stages.
        confined: bool,
    },
    /// A probe expected something else than it must.
    #[error("the probe {name} expected something else than it must {}", stage(*.confined))]
    WrongExpectation {
        /// The probe.
        name: &'static str,
        /// In which of its two stages.
        confined: bool,
    },
    /// A probe did not hold.
    #[error("the probe {} did not hold {}: expected {}, observed {}", .0.name, stage(.0.confined), .0.expected, .0.observed)]
    ProbeFailed(Box<Probe>),
    /// It ends before it begins.
    #[error("it expires before it was issued")]
    NeverValid,
    /// It begins later.
    #[error("it is not valid before {0}")]
    NotYetValid(Time),
    /// It is over.
    #[error("it expired at {0}")]
    Expired(Time),
    /// It is older than accepted.
    #[error("it was issued at {0}, which is too long ago")]
    TooOld(Time),
    /// The nonce is another.
    #[error("the nonce is not the one that was given")]
    NonceMismatch,
    /// The mode is another.
    #[error("the mode is {0:?}, which is not the one expected")]
    WrongMode(Mode),
    /// The policy is another.
    #[error("the policy's digest is {0}, which is not the one expected")]
    PolicyMismatch(Digest),
    /// The image is another.
    #[error("the image's digest is {0}, which is not the one expected")]
    ImageMismatch(Digest),
    /// The bottle executable is another.
    #[error("the digest of the bottle executable is {0}, which is not the one expected")]
    BinaryMismatch(Digest),
    /// It was made in another boot.
    #[error("it is of another boot: {0}")]
    OtherBoot(Box<Value>),
    /// It is of another bottle.
    #[error("it is of another bottle: its {0} is not the one that was looked at")]
    OtherNamespace(&'static str),
}

impl VerifyError {
    /// What kind of refusal this is.
    pub fn refusal(&self) -> Refusal {
        match self {
            VerifyError::Envelope(EnvelopeError::UnknownKey(_) | EnvelopeError::Retired { .. }) => Refusal::WrongKey,
            VerifyError::Envelope(EnvelopeError::BadSignature(_)) => Refusal::BadSignature,
            VerifyError::Envelope(_) | VerifyError::Statement(_) | VerifyError::StatementType => Refusal::Malformed,
            VerifyError::PredicateType
            | VerifyError::Subjects
            | VerifyError::MissingFact(_)
            | VerifyError::EmptyFact(_)
            | VerifyError::WrongBasis { .. }
            | VerifyError::MissingProbe { .. }
            | VerifyError::RepeatedProbe { .. }
            | VerifyError::WrongExpectation { .. } => Refusal::MissingEgressProxyBinding,
            VerifyError::ProbeFailed(_) => Refusal::ProbeFailed,
            VerifyError::NotYetValid(_) => Refusal::NotYetValid,
            VerifyError::NeverValid | VerifyError::Expired(_) | VerifyError::TooOld(_) => Refusal::Expired,
            VerifyError::NonceMismatch => Refusal::NonceMismatch,
            VerifyError::WrongMode(Mode::Observe) => Refusal::ModeNotEnforced,
            VerifyError::WrongMode(Mode::Enforce) => Refusal::ModeNotObserved,
            VerifyError::OtherBoot(_) => Refusal::OtherBoot,
            VerifyError::OtherNamespace(_) => Refusal::OtherNamespace,
            VerifyError::StateMismatch
            | VerifyError::PolicyMismatch(_)
            | VerifyError::ImageMismatch(_)
            | VerifyError::BinaryMismatch(_) => Refusal::DigestMismatch,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

fn stage(confined: bool) -> &'static str {
    if confined { "inside the confinement" } else { "before the confinement" }
}
