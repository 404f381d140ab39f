//! What is one line of the log? An entry with its place, its time and the hash of the line before it.

use serde::{Deserialize, Serialize};

use crate::audit::Entry;
use crate::canonical::{self, NoCanonicalForm, ReadError};
use crate::digest::Digest;
use crate::time::Time;

/// More bytes than this are no line.
pub const MAX_LINE: usize = 4 << 20;

/// One line. In JSON, the fields of the entry stand beside the other three.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its place in the log, from 1.
    pub seq: u64,
    /// SHA-256 of the line before it, without the line feed; zeros before the first.
    pub prev: Digest,
    /// When it was written.
    pub time: Time,
    /// What it says.
    #[serde(flatten)]
    pub entry: Entry,
}

impl Line {
    /// Reads a line, without its line feed. It must be in canonical form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Line, ReadError> {
        canonical::read(bytes)
    }

    /// The bytes of a line, without a line feed.
    pub fn to_bytes(&self) -> Result<Vec<u8>, NoCanonicalForm> {
        canonical::to_bytes(self)
    }
}
