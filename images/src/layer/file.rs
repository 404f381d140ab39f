//! How does a regular file of a layer get its content?

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use rustix::fs::{Mode, OFlags};

use super::archive::ArchiveError;
use super::attributes::{Attributes, Handle};
use super::entry::{Entry, Piece};
use super::error::LayerError;
use super::tree::Tree;
use crate::limits;

/// Gives a file's bytes, or the bytes of its pieces one after the other.
pub(super) trait Content {
    /// As [`std::io::Read::read`].
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError>;
}

const BUFFER: usize = 128 << 10;

/// Makes a file that is not there yet; `form` is its size and, where it is sparse, its pieces.
pub(super) fn write(
    tree: &mut Tree<'_>,
    parent: &OwnedFd,
    name: &[u8],
    entry: &Entry,
    (size, pieces): (u64, Option<&[Piece]>),
    mut content: impl Content,
) -> Result<(), LayerError> {
    if size > limits::UNPACKED {
        return Err(LayerError::TooMuch { what: "bytes", limit: limits::UNPACKED });
    }
    let file = create(parent, name)?;
    let whole = [Piece { offset: 0, length: size }];
    let mut buffer = vec![0; BUFFER.min(usize::try_from(size).unwrap_or(BUFFER))];
    for piece in pieces.unwrap_or(&whole) {
        let (mut offset, end) = (piece.offset, piece.offset + piece.length);
        while offset < end {
            let most = buffer.len().min(usize::try_from(end - offset).unwrap_or(usize::MAX));
            let count = content.read(&mut buffer[..most])?;
            if count == 0 {
                return Err(ArchiveError::Truncated.into());
            }
            write_at(&file, &buffer[..count], offset)?;
            offset += count as u64;
        }
    }
    if pieces.is_some() {
        rustix::fs::ftruncate(&file, size)?;
    }
    let file = OwnedFd::from(file);
    Ok(Attributes::of(entry).apply(&file, Handle::Open, tree.options.owners, &mut tree.notes)?)
}

/// Copies a file of a layer below, opened with O_PATH.
pub(super) fn copy(
    tree: &mut Tree<'_>,
    parent: &OwnedFd,
    name: &[u8],
    from: &OwnedFd,
    size: u64,
    attributes: &Attributes,
) -> Result<(), LayerError> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", from.as_raw_fd());
    let from = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let (mut from, mut file) = (File::from(from), create(parent, name)?);
    // Holes stay holes: a file of a few bytes may claim to have any size.
    let mut position = 0;
    while let Some((data, end)) = next_data(&from, position)? {
        tree.budget.bytes(end - data)?;
        from.seek(SeekFrom::Start(data)).and_then(|_| file.seek(SeekFrom::Start(data))).map_err(kernel)?;
        std::io::copy(&mut (&mut from).take(end - data), &mut file).map_err(kernel)?;
        position = end;
    }
    rustix::fs::ftruncate(&file, size)?;
    let file = OwnedFd::from(file);
    Ok(attributes.apply(&file, Handle::Open, tree.options.owners, &mut tree.notes)?)
}

/// Where data begin at or behind a position, and where they end.
fn next_data(file: &File, position: u64) -> Result<Option<(u64, u64)>, LayerError> {
    let data = match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(position)) {
        Err(rustix::io::Errno::NXIO) => return Ok(None),
        data => data?,
    };
    Ok(Some((data, rustix::fs::seek(file, rustix::fs::SeekFrom::Hole(data))?)))
}

fn create(parent: &OwnedFd, name: &[u8]) -> rustix::io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(parent, name, flags, Mode::RUSR | Mode::WUSR)?.into())
}

fn write_at(file: &File, bytes: &[u8], offset: u64) -> Result<(), LayerError> {
    file.write_all_at(bytes, offset).map_err(kernel)
}

fn kernel(error: std::io::Error) -> LayerError {
    let errno = error.raw_os_error().map_or(rustix::io::Errno::IO, rustix::io::Errno::from_raw_os_error);
    LayerError::Kernel(errno)
}
