//! How is a policy file read? Whole, if it is no larger than any policy is; what it says is for `bottle_policy` to judge.

use std::io;
use std::path::{Path, PathBuf};

use bottle_policy::document::{Document, DocumentError};

use crate::bounded;

/// No policy is larger: some 100,000 rules.
const MOST: u64 = 32 << 20;

/// Why a file is no policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyFileError {
    /// It could not be read.
    #[error("cannot read the policy {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What it says is wrong; the error names file, line and column.
    #[error(transparent)]
    Document(#[from] DocumentError),
}

/// One file, as written.
///
/// # Errors
/// [`PolicyFileError`]
pub fn read(path: &Path) -> Result<Document, PolicyFileError> {
    let text =
        bounded::read_text(path, MOST).map_err(|source| PolicyFileError::Read { path: path.to_owned(), source })?;
    Ok(Document::parse(&text, &path.display().to_string())?)
}
