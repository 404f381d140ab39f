//! Is this text a policy, and what does each entry say?
//!
//! The text is read strictly: unknown keys, duplicate keys and values of the wrong kind are errors, and so is a key whose
//! feature is not built. All errors of one text are found at once.

mod error;
mod meant;
mod written;

pub use error::{DocumentError, Problem};

use crate::rules::{DomainRule, Mode, RangeRule};

/// The version of the policy format.
pub const VERSION: &str = "1";

/// One policy text, read and checked.
#[derive(Clone, Debug)]
pub struct Document {
    mode: Option<Mode>,
    domains: Vec<DomainRule>,
    ranges: Vec<RangeRule>,
}

impl Document {
    /// Reads YAML. `source` is what errors and rules call the text: a path, or the name of a preset.
    pub fn parse(text: &str, source: &str) -> Result<Self, DocumentError> {
        let source = &error::printable(source);
        let written = written::read(text).map_err(|problem| DocumentError::new(source, text, vec![problem]))?;
        meant::check(written, source).map_err(|problems| DocumentError::new(source, text, problems))
    }

    /// The mode, if the text says one.
    pub fn mode(&self) -> Option<Mode> {
        self.mode
    }

    /// The entries of `domains`.
    pub fn domains(&self) -> &[DomainRule] {
        &self.domains
    }

    /// The entries of `ip_ranges`.
    pub fn ranges(&self) -> &[RangeRule] {
        &self.ranges
    }
}
