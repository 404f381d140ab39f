//! What does an attestation say about a run? Facts, each with its basis, and probes, each with what it saw.

mod required;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canonical::{self, NoCanonicalForm};
use crate::digest::{Digest, sha256};
use crate::text::Text;
use crate::time::Time;

pub use required::{
    AGENT_NAMESPACE, BOOT_ID, PUBLISHED, REQUIRED_FACTS, REQUIRED_PROBES, REQUIRED_WHILE_RUNNING, RequiredFact,
    RequiredProbe, UPSTREAM_PROXY, WORKLOAD_IDENTITY,
};

/// What is said of one run, at its start or while it goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predicate {
    /// The run's id, as in the audit log.
    pub run: Text,
    /// When in the run's life it was measured.
    pub stage: Stage,
    /// When it was signed.
    pub issued: Time,
    /// From when on it is worth nothing.
    pub expires: Time,
    /// What a verifier gave, so that an old attestation can't answer; 32 random bytes where none was given.
    pub nonce: Digest,
    /// What the policy does.
    pub mode: Mode,
    /// What is so, by name.
    pub facts: BTreeMap<String, Fact>,
    /// What was tried.
    pub probes: Vec<Probe>,
}

impl Predicate {
    /// The digest of what was measured: of the canonical form of the values of all facts on that basis, by name.
    ///
    /// # Errors
    /// [`NoCanonicalForm`], where a value has none.
    pub fn state(&self) -> Result<Digest, NoCanonicalForm> {
        let measured = self.facts.iter().filter(|(_, fact)| fact.basis == Basis::Measured);
        let values: BTreeMap<&str, &Value> = measured.map(|(name, fact)| (name.as_str(), &fact.value)).collect();
        Ok(sha256(&canonical::to_bytes(&values)?))
    }
}

/// When in a run's life it was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Before the workload's first instruction.
    Start,
    /// While the workload ran.
    Running,
}

impl Stage {
    /// The probes that must be there, and in which of the two ways each was made.
    pub fn required_probes(self) -> (&'static [RequiredProbe], &'static [bool]) {
        match self {
            Stage::Start => (REQUIRED_PROBES, &[false, true]),
            Stage::Running => (REQUIRED_WHILE_RUNNING, &[false]),
        }
    }
}

/// What the policy does with what it does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Deny it.
    Enforce,
    /// Let it pass, private and metadata addresses excepted, and record it.
    Observe,
}

/// One fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// Why it may be believed.
    pub basis: Basis,
    /// How it was had, in a few words.
    pub how: Text,
    /// What is so.
    pub value: Value,
}

/// Why a fact may be believed; a later one is the stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// It is our word.
    Asserted,
    /// A probe showed it.
    Behavioural,
    /// It was read from the kernel.
    Measured,
}

/// One probe: what was tried inside the agent's namespace, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Its stable name, as `tcp-v4`.
    pub name: Text,
    /// Whether it was made inside the final confinement; else with CAP_NET_RAW, before it.
    pub confined: bool,
    /// What must be seen.
    pub expected: Text,
    /// What was seen.
    pub observed: Text,
    /// Whether they agree.
    pub held: bool,
}

impl Probe {
    /// A probe that expected one thing and saw another, or the same.
    pub fn new(name: &str, confined: bool, expected: &str, observed: &str) -> Probe {
        let (expected_text, observed_text) = (Text::new(expected), Text::new(observed));
        Probe {
            name: name.into(),
            confined,
            held: expected == observed,
            expected: expected_text,
            observed: observed_text,
        }
    }
}

impl Fact {
    /// A fact that was read from the kernel.
    pub fn measured(how: &str, value: impl Into<Value>) -> Fact {
        Fact { basis: Basis::Measured, how: how.into(), value: value.into() }
    }

    /// A fact that a probe showed.
    pub fn behavioural(how: &str, value: impl Into<Value>) -> Fact {
        Fact { basis: Basis::Behavioural, how: how.into(), value: value.into() }
    }

    /// A fact for which there is our word only.
    pub fn asserted(how: &str, value: impl Into<Value>) -> Fact {
        Fact { basis: Basis::Asserted, how: how.into(), value: value.into() }
    }

    /// Whether its value is null or an empty text. An empty list says that there is none, which is something.
    pub fn says_nothing(&self) -> bool {
        self.value.is_null() || self.value == ""
    }
}
