//! How is a log taken up again? What was written in full is kept; an unfinished last line is cut, and that is said.

use std::io::{self, BufRead};

use crate::audit::{Chain, Entry, LogError, LogProblem, Piece, Torn, Walk, next_piece};
use crate::digest::sha256;
use crate::key::PublicKey;

/// A log to be continued.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// How many files are kept. One that comes after them has no whole line: remove it.
    pub segments: usize,
    /// How many bytes of the last of them are kept: cut the file to this length.
    pub keep: u64,
    /// How many bytes of an unfinished line come after them.
    pub torn: u64,
    /// Whether the last run has no end.
    pub unfinished: bool,
    /// The log, to be continued after these bytes.
    pub chain: Chain,
    /// What must be appended first; `None` where the log ended as it should. No run starts before it is.
    pub mark: Option<Entry>,
}

/// What the first line of a log begins with: `run.start`, or `torn` where not even that was written in full.
const BEGINNINGS: [&[u8]; 2] = [br#"{"attestation":""#, br#"{"bytes":"#];

/// What the first line of a further file begins with.
const SEGMENT: &[u8] = br#"{"kind":"segment","number":"#;

/// Whether one is how the other begins.
fn agree(one: &[u8], other: &[u8]) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// Without the zeros behind it: a file may be as long as it should be before what it should hold is on the disk.
fn written(cut: &[u8]) -> &[u8] {
    &cut[..cut.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)]
}

/// Takes up a log of one file from its bytes: see [`recover_segments`].
pub fn recover(bytes: &[u8], keys: &[PublicKey]) -> Result<Recovered, LogError> {
    recover_segments([Ok(bytes)], keys)
}

/// Takes up a log from its files. All but an unfinished last line must pass verification: nothing is added to a log
/// that someone has changed, since a later seal would sign for the change.
pub fn recover_segments<R: BufRead>(
    files: impl IntoIterator<Item = io::Result<R>>,
    keys: &[PublicKey],
) -> Result<Recovered, LogError> {
    let (mut walk, mut kept, mut cut) = (Walk::new(keys), Vec::new(), Vec::new());
    for file in files {
        // Only the last file may end within a line, or before its first.
        match kept.last() {
            Some(_) if !cut.is_empty() => return Err(walk.error(LogProblem::Torn)),
            Some(0) => return Err(walk.error(walk.is_without_beginning().unwrap_or(LogProblem::Empty))),
            _ => {}
        }
        walk.begin_file();
        let (keep, rest) = take_file(&mut walk, file)?;
        kept.push(keep);
        cut = rest;
    }
    let keep = kept.pop().unwrap_or(0);
    let beginnings = if kept.is_empty() { &BEGINNINGS[..] } else { &[SEGMENT] };
    if keep == 0 && !beginnings.iter().any(|beginning| agree(beginning, written(&cut))) {
        return Err(walk.error(walk.is_without_beginning().unwrap_or(LogProblem::Other)));
    }
    let (segments, keep) = match (keep, kept.last()) {
        (0, Some(before)) => (kept.len(), *before),
        _ => (kept.len() + 1, keep),
    };
    Ok(recovered(segments, keep, &cut, walk.into_chain()))
}

/// How many bytes of whole lines a file has, and those that come after them.
fn take_file(walk: &mut Walk<'_>, file: io::Result<impl BufRead>) -> Result<(u64, Vec<u8>), LogError> {
    let unreadable = |walk: &Walk<'_>, error: io::Error| walk.error(LogProblem::Unreadable(error.to_string()));
    let mut file = file.map_err(|error| unreadable(walk, error))?;
    let (mut buffer, mut keep) = (Vec::new(), 0);
    loop {
        match next_piece(&mut file, &mut buffer).map_err(|error| unreadable(walk, error))? {
            Piece::Line => drop(walk.take(&buffer)?),
            Piece::Torn | Piece::End => return Ok((keep, buffer)),
            Piece::TooLong => return Err(walk.error(LogProblem::TooLong)),
        }
        keep += buffer.len() as u64 + 1;
    }
}

fn recovered(segments: usize, keep: u64, cut: &[u8], chain: Chain) -> Recovered {
    let unfinished = chain.summary().is_some();
    let (unsealed, torn) = (chain.unsealed(), cut.len() as u64);
    let whole = cut.is_empty() && !unfinished && unsealed == 0;
    let mark = Torn { bytes: torn, sha256: sha256(cut), unsealed };
    Recovered { segments, keep, torn, unfinished, chain, mark: (!whole).then_some(Entry::Torn(mark)) }
}
