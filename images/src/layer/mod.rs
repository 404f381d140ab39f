//! How does one layer become a directory? Its archive is decompressed, digested, parsed and applied in one pass.

mod archive;
mod attributes;
mod below;
mod budget;
mod entry;
mod error;
mod file;
mod inside;
mod name;
mod nodes;
mod options;
mod pax;
mod reach;
mod stream;
mod tree;

#[cfg(test)]
mod apply_tests;
#[cfg(test)]
mod hostile_tests;

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::mpsc::sync_channel;

use rustix::fs::FileType;
use serde::{Deserialize, Serialize};

pub(crate) use archive::Archive;
pub use archive::ArchiveError;
pub(crate) use below::Below;
pub(crate) use budget::Budget;
pub(crate) use entry::Kind;
pub use error::LayerError;
pub(crate) use options::is_of_another_range;
pub use options::{Devices, Opaque, Owners, UnpackOptions};

use crate::digest::Digest;
use crate::media::Packing;
pub(crate) use stream::open as unpacked;
use stream::{Pieces, WAITING};
use tree::{Traces, Tree};

/// What a layer's archive is.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) file: File,
    pub(crate) packing: Packing,
    /// Its bytes as it lies in the store.
    pub(crate) packed: u64,
    /// The digest of what it unpacks to.
    pub(crate) diff_id: Digest,
}

/// What is kept beside an unpacked layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The digest of the archive.
    pub(crate) diff_id: Digest,
    /// How many entries it has, and how many bytes it unpacked to.
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// What was left out: sentences.
    pub(crate) notes: Vec<String>,
    /// Directories that no entry made, and whiteouts: whether the layer means the same upon other layers hangs on these.
    implied: Vec<Vec<u8>>,
    whiteouts: Vec<Vec<u8>>,
}

/// Unpacks a layer into an empty directory. With `below`, what it says is what it says upon those layers; without, upon any that
/// [`Record::fits`].
pub(crate) fn unpack(
    source: Source,
    directory: OwnedFd,
    options: UnpackOptions,
    below: Option<&Below<'_>>,
    budget: &Budget,
) -> Result<Record, LayerError> {
    let Source { file, packing, packed, diff_id } = source;
    let (sender, receiver) = sync_channel(WAITING);
    let (produced, applied) = std::thread::scope(|scope| {
        let producer = scope.spawn(move || stream::produce(file, (packing, packed), budget, &sender));
        let applied = apply(Pieces::new(receiver), directory, options, below, budget);
        (producer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), applied)
    });
    // What could not be decompressed is why the archive ended early.
    let produced = produced?;
    let (traces, record) = applied?;
    match produced {
        Some(actual) if actual == diff_id => {}
        Some(actual) => return Err(LayerError::Mismatch { actual }),
        None => return Err(ArchiveError::Truncated.into()),
    }
    let Traces { implied, whiteouts } = traces;
    Ok(Record { diff_id, implied, whiteouts, ..record })
}

fn apply(
    pieces: Pieces,
    directory: OwnedFd,
    options: UnpackOptions,
    below: Option<&Below<'_>>,
    budget: &Budget,
) -> Result<(Traces, Record), LayerError> {
    let mut archive = Archive::new(pieces);
    let mut tree = Tree::new(directory, options, below, budget)?;
    let mut files = 0;
    let mut bytes = 0;
    while let Some(entry) = archive.next()? {
        files += 1;
        tree.apply(&entry, &mut archive)?;
        if let Kind::File { size, pieces } = &entry.kind {
            // What a sparse file does not hold takes no room.
            bytes += pieces.as_deref().map_or(*size, entry::stored);
        }
    }
    let (traces, notes) = tree.finish()?;
    let notes = notes.sentences();
    let diff_id = Digest::of(b"");
    Ok((traces, Record { diff_id, files, bytes, notes, implied: Vec::new(), whiteouts: Vec::new() }))
}

impl<R: std::io::BufRead> file::Content for &mut Archive<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        Archive::read(self, buffer)
    }
}

impl Record {
    /// Whether the archive says nothing of the root directory.
    pub(crate) fn implies_root(&self) -> bool {
        self.implied.iter().any(Vec::is_empty)
    }

    /// Whether a layer that was unpacked without regard to what is below it means the same upon these layers: no directory that
    /// it passes through unmentioned is one there, or a link, and each of its whiteouts hides something.
    pub(crate) fn fits(&self, below: &Below<'_>) -> Result<bool, LayerError> {
        for path in &self.implied {
            let Some((_, _, stat)) = below.look(path)? else { continue };
            let fits = match FileType::from_raw_mode(stat.st_mode) {
                // What a layer does not say of the root directory is told by the lowest one; only a plain one is the same.
                FileType::Directory if path.is_empty() => {
                    stat.st_mode & 0o7777 == 0o755 && below.options.owners.is_roots(&stat)
                }
                FileType::Directory | FileType::Symlink => false,
                _ => true,
            };
            if !fits {
                return Ok(false);
            }
        }
        for path in &self.whiteouts {
            if below.look(path)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
