//! How is a file read that lies in a directory or an archive, without anything being unpacked?

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};

use super::LoadError;
use crate::layer::{Archive, Kind};
use crate::limits;
use crate::media::Packing;

/// A directory or an archive.
pub(super) enum Files {
    Directory(OwnedFd),
    Archive { path: PathBuf, packing: Packing, entries: BTreeMap<Vec<u8>, Place> },
}

/// Where a file of an archive lies.
pub(super) enum Place {
    File { offset: u64, size: u64 },
    Link(Vec<u8>),
}

impl Files {
    pub(super) fn directory(path: &Path) -> Result<Files, LoadError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(CWD, path, flags, Mode::empty());
        opened.map(Files::Directory).map_err(|error| LoadError::read(path)(error.into()))
    }

    /// Reads an archive once, to know where everything lies.
    pub(super) fn archive(path: &Path) -> Result<Files, LoadError> {
        let mut first = Vec::new();
        let mut file = open_regular(path).map_err(LoadError::read(path))?;
        Read::by_ref(&mut file).take(4).read_to_end(&mut first).map_err(LoadError::read(path))?;
        let packing = Packing::sniff(&first);
        let from = stream(file, packing).map_err(LoadError::read(path))?;
        let failed = |source| LoadError::Archive { path: path.to_owned(), source };
        let mut archive = Archive::new(Counted { from: BufReader::with_capacity(256 << 10, from), position: 0 });
        let mut entries = BTreeMap::new();
        while let Some(entry) = archive.next().map_err(failed)? {
            let place = match entry.kind {
                Kind::File { size, pieces: None } => Place::File { offset: archive.from().position, size },
                Kind::HardLink(target) => Place::Link(clean(&target)),
                // Relative to where the link lies.
                Kind::SymbolicLink(target) => Place::Link(beside(&entry.path, &target)),
                _ => continue,
            };
            entries.insert(clean(&entry.path), place);
            if entries.len() > limits::ARCHIVE_ENTRIES {
                return Err(LoadError::TooMany { path: path.to_owned() });
            }
        }
        Ok(Files::Archive { path: path.to_owned(), packing, entries })
    }

    /// Opens a file; None where there is none.
    pub(super) fn open(&self, name: &str) -> Result<Option<Box<dyn Read + '_>>, LoadError> {
        match self {
            Files::Directory(directory) => match open_below(directory, name) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                file => Ok(Some(Box::new(file.map_err(LoadError::read(Path::new(name)))?))),
            },
            Files::Archive { path, packing, entries } => {
                let mut name = clean(name.as_bytes());
                for _ in 0..10 {
                    match entries.get(&name) {
                        None => return Ok(None),
                        Some(Place::Link(target)) => name.clone_from(target),
                        Some(Place::File { offset, size }) => {
                            let from = at(path, *packing, *offset).map_err(LoadError::read(path))?;
                            return Ok(Some(Box::new(from.take(*size))));
                        }
                    }
                }
                Ok(None)
            }
        }
    }

    /// Reads a small file, `what`.
    pub(super) fn read(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, LoadError> {
        let Some(from) = self.open(name)? else { return Ok(None) };
        let mut bytes = Vec::new();
        from.take(limit + 1).read_to_end(&mut bytes).map_err(LoadError::read(Path::new(name)))?;
        match bytes.len() as u64 > limit {
            true => Err(LoadError::TooLarge { name: name.to_owned(), limit }),
            false => Ok(Some(bytes)),
        }
    }
}

/// A FIFO would be waited for, and a device is no file.
fn open_regular(path: &Path) -> io::Result<File> {
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
    regular(file)
}

fn open_below(directory: &OwnedFd, name: &str) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    regular(rustix::fs::openat2(directory, name, flags, Mode::empty(), resolve)?)
}

fn regular(file: OwnedFd) -> io::Result<File> {
    match FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) {
        FileType::RegularFile => Ok(file.into()),
        FileType::Directory => Err(io::ErrorKind::IsADirectory.into()),
        _ => Err(io::Error::other("it is no regular file")),
    }
}

fn stream(mut file: File, packing: Packing) -> io::Result<Box<dyn Read>> {
    file.rewind()?;
    crate::layer::unpacked(file, packing)
}

/// The archive from an offset of its content on. A compressed one is decompressed up to there.
fn at(path: &Path, packing: Packing, offset: u64) -> io::Result<Box<dyn Read>> {
    let mut file = open_regular(path)?;
    if packing == Packing::Plain {
        file.seek(SeekFrom::Start(offset))?;
        return Ok(Box::new(file));
    }
    let mut from = stream(file, packing)?;
    let skipped = io::copy(&mut Read::by_ref(&mut from).take(offset), &mut io::sink())?;
    if skipped == offset { Ok(from) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// A path's names, joined; what leads up stays above and is never found.
fn clean(path: &[u8]) -> Vec<u8> {
    let names = path.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
    names.collect::<Vec<_>>().join(&b'/')
}

fn beside(link: &[u8], target: &[u8]) -> Vec<u8> {
    let link = clean(link);
    let mut names: Vec<&[u8]> = link.split(|byte| *byte == b'/').collect();
    names.pop();
    for name in target.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b".")) {
        match name {
            b".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    names.join(&b'/')
}

/// Knows how much was taken.
pub(super) struct Counted<R> {
    from: R,
    pub(super) position: u64,
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.from.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.position += count as u64;
        self.from.consume(count);
    }
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.position += count as u64;
        Ok(count)
    }
}
