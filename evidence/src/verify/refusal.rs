//! Why is an attestation not accepted?

use crate::canonical::ReadError;
use crate::digest::Digest;
use crate::dsse::EnvelopeError;
use crate::predicate::{Basis, Mode, Probe};
use crate::time::Time;

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
    /// The subjects are not binary, image and policy.
    #[error("the statement's subjects are not binary, image and policy")]
    Subjects,
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
}

fn stage(confined: bool) -> &'static str {
    if confined { "inside the confinement" } else { "before the confinement" }
}
