//! What does a statement speak of, and what does it say? in-toto Statement v1.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::dsse::{self, Envelope};
use crate::key::SigningKey;
use crate::predicate::Predicate;
use crate::{canonical, canonical::NoCanonicalForm};

/// The type of every statement.
pub const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// The type of our predicate.
pub const PREDICATE: &str = "urn:bottle:predicate:egress-binding:v1";

/// What a run is made of: the subjects of an egress binding after the first, in the order in which they are written. The first is the
/// run, by its id, with the digest of what was measured around it.
pub const SUBJECTS: [&str; 3] = ["binary", "image", "policy"];

/// An in-toto statement about one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// [`STATEMENT`].
    #[serde(rename = "_type")]
    pub kind: String,
    /// What the statement binds together: the run and [`SUBJECTS`].
    pub subject: Vec<Subject>,
    /// [`PREDICATE`].
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// What was measured around the run.
    pub predicate: Predicate,
}

/// One thing that a statement speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The run's id, or one of [`SUBJECTS`].
    pub name: String,
    /// Which one it is.
    pub digest: DigestSet,
}

/// A digest, under its algorithm's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DigestSet {
    /// SHA-256.
    pub sha256: Digest,
}

/// What a run is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subjects {
    /// Of the bottle executable.
    pub binary: Digest,
    /// Of the manifest of an image in the store; else of the plan that says which trees are put where, as whom and with what covered: not of what is in the files. Each run
    /// of one image by one caller in one place has the same, whatever its environment.
    pub image: Digest,
    /// Of the policy in force.
    pub policy: Digest,
}

impl Statement {
    /// States this predicate of the run that it names and of these subjects.
    ///
    /// # Errors
    /// [`NoCanonicalForm`], where what was measured has none.
    pub fn new(subjects: Subjects, predicate: Predicate) -> Result<Statement, NoCanonicalForm> {
        let run = (predicate.run.as_str(), predicate.state()?);
        let parts = SUBJECTS.into_iter().zip([subjects.binary, subjects.image, subjects.policy]);
        let subject = std::iter::once(run)
            .chain(parts)
            .map(|(name, sha256)| Subject { name: name.to_owned(), digest: DigestSet { sha256 } })
            .collect();
        Ok(Statement { kind: STATEMENT.into(), subject, predicate_type: PREDICATE.into(), predicate })
    }

    /// The subjects, if they are just those that a run has, in their order.
    pub fn subjects(&self) -> Option<Subjects> {
        let [run, binary, image, policy] = self.subject.as_slice() else {
            return None;
        };
        let named = [binary, image, policy].map(|subject| subject.name.as_str()) == SUBJECTS
            && run.name == self.predicate.run.as_str();
        let digest = |subject: &Subject| subject.digest.sha256;
        named.then(|| Subjects { binary: digest(binary), image: digest(image), policy: digest(policy) })
    }

    /// The digest of what was measured, if that is the one of the first subject.
    pub fn state(&self) -> Option<Digest> {
        let said = self.subject.first()?.digest.sha256;
        self.predicate.state().ok().filter(|state| *state == said)
    }

    /// Signs the canonical form of this statement.
    pub fn sign(&self, key: &SigningKey) -> Result<Envelope, NoCanonicalForm> {
        Ok(dsse::sign(key, dsse::IN_TOTO, &canonical::to_bytes(self)?))
    }
}
