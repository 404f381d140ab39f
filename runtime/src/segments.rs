//! Which files does an audit log have? `FILE`, and where it has grown too large for one, `FILE.2`, `FILE.3` and so on.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

/// The least that may be asked of a file before the log goes on in another.
pub const LEAST: u64 = 4096;

/// How large a file becomes where nothing else is asked for.
pub const USUAL: u64 = 64 << 20;

/// Why the files of a log can't be told.
#[derive(Debug, thiserror::Error)]
pub enum SegmentsError {
    /// The directory can't be read.
    #[error("cannot look for the files of the audit log {}", path.display())]
    Io {
        /// The log's first file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// One is not there, and a later one is.
    #[error("file {number} of the audit log is missing: {}", path.display())]
    Missing {
        /// Which one.
        number: u64,
        /// Its path.
        path: PathBuf,
    },
}

/// The path of a log's file with this number; the first is the log's own.
pub fn path(log: &Path, number: u64) -> PathBuf {
    if number <= 1 {
        return log.to_owned();
    }
    let mut path = log.to_owned().into_os_string();
    path.push(format!(".{number}"));
    path.into()
}

/// Whether a path is that of one of this log's files, now or later.
pub(crate) fn is_one_of(log: &Path, path: &Path) -> bool {
    let is_further = || {
        let (name, other) = (log.file_name()?.as_encoded_bytes(), path.file_name()?.as_encoded_bytes());
        number(other.strip_prefix(name)?.strip_prefix(b".")?)
    };
    log == path || log.parent() == path.parent() && is_further().is_some()
}

/// The paths of all files of a log, in order. What is no regular file is a log of one.
pub fn of(log: &Path) -> Result<Vec<PathBuf>, SegmentsError> {
    let failed = |source| SegmentsError::Io { path: log.to_owned(), source };
    if !log.metadata().is_ok_and(|file| file.is_file()) {
        return Ok(vec![log.to_owned()]);
    }
    // The others lie beside the file itself, and not beside a link to it.
    let log = log.canonicalize().map_err(failed)?;
    after(&log, numbers(&log).map_err(failed)?)
}

/// The same, for the one who writes it: it need not be there yet, and it is no link.
pub(crate) fn of_own(log: &Path) -> Result<Vec<PathBuf>, SegmentsError> {
    let found = match numbers(log) {
        // What is wrong with its place is said by the one who opens it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        numbers => numbers.map_err(|source| SegmentsError::Io { path: log.to_owned(), source })?,
    };
    after(log, found)
}

fn after(log: &Path, found: Vec<u64>) -> Result<Vec<PathBuf>, SegmentsError> {
    let missing = (2_u64..).zip(&found).find(|(number, found)| number != *found);
    match missing {
        Some((number, _)) => Err(SegmentsError::Missing { number, path: path(log, number) }),
        None => Ok((1..=1 + found.len() as u64).map(|number| path(log, number)).collect()),
    }
}

/// The numbers of the further files that there are, counted upwards.
fn numbers(log: &Path) -> io::Result<Vec<u64>> {
    let directory = match log.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = log.file_name().unwrap_or_default();
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let other = entry?.file_name();
        let rest = other.as_encoded_bytes().strip_prefix(name.as_encoded_bytes());
        numbers.extend(rest.and_then(|rest| rest.strip_prefix(b".")).and_then(number));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// A number as it is written in a name: from 2, and in one way.
fn number(text: &[u8]) -> Option<u64> {
    let number = std::str::from_utf8(text).ok()?.parse().ok().filter(|number| *number > 1)?;
    (text == u64::to_string(&number).as_bytes()).then_some(number)
}

/// A regular file of a log, for reading. Nothing else is waited for.
///
/// # Errors
/// Where it can't be opened, and [`io::ErrorKind::InvalidInput`] where it is a FIFO or the like.
pub fn regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")),
    }
}

/// The files of a log, one after the other, each opened when it is its turn.
pub fn readers(files: &[PathBuf]) -> impl Iterator<Item = io::Result<BufReader<File>>> {
    files.iter().enumerate().map(|(index, path)| opened(path, index == 0).map(BufReader::new))
}

/// Who names the first file may mean a pipe. The others are found beside it, and one that is none is not waited for.
fn opened(path: &Path, is_first: bool) -> io::Result<File> {
    if is_first { File::open(path) } else { regular(path) }
}

/// The files of a log as if they were one.
#[derive(Debug)]
pub struct Reader {
    file: File,
    rest: std::vec::IntoIter<PathBuf>,
}

impl Reader {
    /// Begins with the first.
    pub fn new(files: Vec<PathBuf>) -> io::Result<Reader> {
        let mut rest = files.into_iter();
        let first = rest.next().ok_or(io::ErrorKind::NotFound)?;
        Ok(Reader { file: opened(&first, true)?, rest })
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.file.read(buffer)? {
                0 if !buffer.is_empty() => match self.rest.next() {
                    Some(next) => self.file = opened(&next, false)?,
                    None => return Ok(0),
                },
                count => return Ok(count),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_log_are_found_in_their_order_and_no_other_is() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("a.jsonl");
        for name in
            ["a.jsonl", "a.jsonl.2", "a.jsonl.03", "a.jsonl.1", "a.jsonl.x", "a.jsonl.bak", "a.jsonl.+4", "b.jsonl.3"]
        {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let names = |files: Vec<PathBuf>| -> Vec<String> {
            files.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names(of(&log).unwrap()), ["a.jsonl", "a.jsonl.2"]);
        for number in 3..12 {
            std::fs::write(path(&log, number), "").unwrap();
        }
        assert_eq!(names(of(&log).unwrap())[8..], ["a.jsonl.9", "a.jsonl.10", "a.jsonl.11"]);
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&log, &link).unwrap();
        assert_eq!(of(&link).unwrap().len(), 11);
        std::fs::remove_file(path(&log, 4)).unwrap();
        assert!(matches!(of(&log), Err(SegmentsError::Missing { number: 4, .. })));
        assert!(is_one_of(&log, &log) && is_one_of(&log, &path(&log, 7)) && !is_one_of(&log, &link));
        assert!(matches!(of_own(&log), Err(SegmentsError::Missing { number: 4, .. })));
    }

    #[test]
    fn a_fifo_in_place_of_a_log_is_refused_and_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.jsonl");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert_eq!(regular(&path).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(of(&path).unwrap(), [path]);
    }
}
