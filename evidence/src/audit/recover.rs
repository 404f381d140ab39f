//! How is a log taken up again? What was written in full is kept; an unfinished last line is cut, and that is said.

use crate::audit::{Chain, Entry, LogError, LogProblem, Piece, Torn, Walk, next_piece};
use crate::digest::sha256;
use crate::key::PublicKey;

/// A log to be continued.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// How many bytes are kept: cut the file to this length.
    pub keep: usize,
    /// How many bytes of an unfinished line come after them.
    pub torn: usize,
    /// Whether the last run has no end.
    pub unfinished: bool,
    /// The log, to be continued after these bytes.
    pub chain: Chain,
    /// What must be appended first; `None` where the log ended as it should. No run starts before it is.
    pub mark: Option<Entry>,
}

/// What the first line of a log begins with: `run.start`, or `torn` where not even that was written in full.
const BEGINNINGS: [&[u8]; 2] = [br#"{"attestation":""#, br#"{"bytes":"#];

/// Whether one is how the other begins.
fn agree(one: &[u8], other: &[u8]) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// Without the zeros behind it: a file may be as long as it should be before what it should hold is on the disk.
fn written(cut: &[u8]) -> &[u8] {
    &cut[..cut.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)]
}

/// Takes up a log from its bytes. All but an unfinished last line must pass verification: nothing is added to a log
/// that someone has changed, since a later seal would sign for the change.
pub fn recover(bytes: &[u8], keys: &[PublicKey]) -> Result<Recovered, LogError> {
    let mut walk = Walk::new(keys);
    let (mut rest, mut buffer, mut keep) = (bytes, Vec::new(), 0);
    loop {
        let number = walk.next_line();
        let piece = next_piece(&mut rest, &mut buffer).map_err(|error| LogError::unreadable(number, &error))?;
        match piece {
            Piece::Line => drop(walk.take(&buffer)?),
            Piece::Torn | Piece::End => break,
            Piece::TooLong => return Err(LogError::at(number, LogProblem::TooLong)),
        }
        keep = bytes.len() - rest.len();
    }
    let cut = &bytes[keep..];
    if keep == 0 && !BEGINNINGS.iter().any(|beginning| agree(beginning, written(cut))) {
        return Err(LogError::at(1, LogProblem::Other));
    }
    Ok(recovered(keep, cut, walk.into_chain()))
}

fn recovered(keep: usize, cut: &[u8], chain: Chain) -> Recovered {
    let unfinished = chain.summary().is_some();
    let unsealed = chain.unsealed();
    let whole = cut.is_empty() && !unfinished && unsealed == 0;
    let torn = Torn { bytes: cut.len() as u64, sha256: sha256(cut), unsealed };
    Recovered { keep, torn: cut.len(), unfinished, chain, mark: (!whole).then_some(Entry::Torn(torn)) }
}
