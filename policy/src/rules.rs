//! What do all documents and flags together mean?

mod canonical;
mod cidr;
mod flags;
mod index;
mod ports;
mod rule;

use std::fmt;

use sha2::{Digest, Sha256};

pub use canonical::CanonicalError;
pub use cidr::{CidrError, parse_cidr};
pub use flags::FlagError;
pub(crate) use index::{Found, Index};
pub use ports::Ports;
pub use rule::{DomainRule, List, Origin, Protocol, RangeRule};

use crate::document::{Document, DocumentError};
use crate::{Pattern, endpoints};

/// What happens to a destination that no rule names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It is denied.
    #[default]
    Enforce,
    /// It is allowed unless it is private or special, and recorded.
    Observe,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
        })
    }
}

/// The rules in force: what may be reached, indexed so that a decision takes less than a microsecond.
#[derive(Clone, Debug)]
pub struct Rules {
    mode: Option<Mode>,
    domains: Vec<DomainRule>,
    ranges: Vec<RangeRule>,
    index: Index,
    digest: [u8; 32],
}

/// Why rules could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// A document has errors; they name file, line and column.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// An `--allow` has an error.
    #[error(transparent)]
    Flag(#[from] FlagError),
    /// One document says `mode: observe`, another `mode: enforce`.
    #[error("one policy says `mode: {0}` and another `mode: {1}`")]
    ModesDiffer(Mode, Mode),
}

impl RulesError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Document(_) => None,
            Self::Flag(error) => error.hint(),
            Self::ModesDiffer(..) => Some("policies that are united must say the same mode, or leave it out"),
        }
    }
}

impl Rules {
    /// Unites documents: everything that one of them allows is allowed. No document means no egress.
    pub fn from_documents(documents: &[Document]) -> Result<Self, RulesError> {
        let mode = documents.iter().map(Document::mode).try_fold(None, same_mode)?;
        let domains = documents.iter().flat_map(|document| document.domains().iter().cloned()).collect();
        let ranges = documents.iter().flat_map(|document| document.ranges().iter().cloned()).collect();
        Ok(Self::new(mode, domains, ranges))
    }

    /// The rules of one YAML text; `source` is what errors and spans call it.
    pub fn from_text(text: &str, source: &str) -> Result<Self, RulesError> {
        Self::from_documents(&[Document::parse(text, source)?])
    }

    /// `--allow-all`: every public destination, recorded as observed.
    pub fn observe() -> Self {
        Self::new(Some(Mode::Observe), Vec::new(), Vec::new())
    }

    /// No egress at all.
    pub fn deny_all() -> Self {
        Self::new(None, Vec::new(), Vec::new())
    }

    /// The rules that `--allow` flags mean: `NAME[:PORT]` (TLS, port 443), `tls://NAME[:PORT]`, `http://NAME[:PORT]`
    /// (plain HTTP, port 80), `tcp://NAME:PORT`. Several flags unite.
    pub fn allow_flags<S: AsRef<str>>(flags: &[S]) -> Result<Self, RulesError> {
        let domains = flags.iter().map(|flag| flags::parse(flag.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self::new(None, domains, Vec::new()))
    }

    /// Everything that one or the other allows.
    pub fn unite(self, other: Self) -> Result<Self, RulesError> {
        let mode = same_mode(self.mode, other.mode)?;
        let domains = self.domains.into_iter().chain(other.domains).collect();
        let ranges = self.ranges.into_iter().chain(other.ranges).collect();
        Ok(Self::new(mode, domains, ranges))
    }

    /// The mode in force.
    pub fn mode(&self) -> Mode {
        self.mode.unwrap_or_default()
    }

    /// SHA-256 of what the rules mean: neither order, repetition, reasons nor places in files count.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// [`Rules::digest`] in lower-case hex.
    pub fn digest_hex(&self) -> String {
        self.digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The rules about names, in the order written.
    pub fn domains(&self) -> &[DomainRule] {
        &self.domains
    }

    /// The rules about addresses, in the order written.
    pub fn ranges(&self) -> &[RangeRule] {
        &self.ranges
    }

    /// One JSON text that carries everything, places in files included, between the processes of a run.
    pub fn to_canonical(&self) -> String {
        canonical::whole(self)
    }

    /// Reads what [`Rules::to_canonical`] wrote, and checks it as a document is checked.
    pub fn from_canonical(text: &str) -> Result<Self, CanonicalError> {
        canonical::read(text)
    }

    /// The JSON text that the digest covers.
    pub fn meaning(&self) -> String {
        canonical::meaning(self.mode(), &self.domains, &self.ranges)
    }

    /// The rules that never apply, since they name just one known server of encrypted DNS: where each was written, and what it
    /// names.
    pub fn never_applying(&self) -> Vec<(&Origin, String)> {
        let is_one = |net: &ipnet::IpNet| net.prefix_len() == net.max_prefix_len();
        let names = self.domains.iter().filter_map(|rule| match &rule.pattern {
            Pattern::Exact(name) if endpoints::is_resolver_name(name) => Some((&rule.origin, name.to_string())),
            _ => None,
        });
        let ranges =
            self.ranges.iter().filter(|rule| is_one(&rule.cidr) && endpoints::is_resolver_address(rule.cidr.addr()));
        names.chain(ranges.map(|rule| (&rule.origin, rule.cidr.addr().to_string()))).collect()
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    fn new(mode: Option<Mode>, domains: Vec<DomainRule>, ranges: Vec<RangeRule>) -> Self {
        let digest = Sha256::digest(canonical::meaning(mode.unwrap_or_default(), &domains, &ranges)).into();
        let index = Index::new(&domains, &ranges);
        Self { mode, domains, ranges, index, digest }
    }
}

/// A mode that is left out follows the others.
fn same_mode(one: Option<Mode>, other: Option<Mode>) -> Result<Option<Mode>, RulesError> {
    match (one, other) {
        (Some(a), Some(b)) if a != b => Err(RulesError::ModesDiffer(a, b)),
        _ => Ok(one.or(other)),
    }
}
