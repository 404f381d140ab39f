//! How is the log written? Whole lines, appended; when it is full it becomes the one before, and that one goes.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::line::lines;
use super::{BEFORE, NAME, Stream};
use crate::clock;

/// How large each of the two files gets, in bytes.
pub const MOST: u64 = 10 * 1024 * 1024;

/// The log of one bottle, which several threads write.
#[derive(Debug)]
pub(crate) struct Log {
    directory: PathBuf,
    most: u64,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    file: File,
    size: u64,
    /// What could not be written since it last could, in bytes.
    lost: u64,
}

impl Log {
    /// Begins a log in this directory.
    pub(crate) fn begin(directory: &Path) -> io::Result<Log> {
        Log::of_size(directory, MOST)
    }

    fn of_size(directory: &Path, most: u64) -> io::Result<Log> {
        let current = Mutex::new(Current { file: open(directory)?, size: 0, lost: 0 });
        Ok(Log { directory: directory.to_owned(), most, current })
    }

    /// Writes what came. An error is told in the log as soon as it can be written again, and nowhere else.
    pub(crate) fn write(&self, stream: Stream, bytes: &[u8]) {
        let now = clock::now();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = Vec::new();
        if current.lost > 0 {
            let lost = format!("{} bytes of output could not be written here and are lost\n", current.lost);
            text = lines(now, Stream::Bottle, lost.as_bytes());
        }
        text.extend(lines(now, stream, bytes));
        match self.append(&mut current, &text) {
            Ok(()) => current.lost = 0,
            Err(_) => current.lost += bytes.len() as u64,
        }
    }

    /// All or nothing.
    fn append(&self, current: &mut Current, text: &[u8]) -> io::Result<()> {
        if current.size > 0 && current.size + text.len() as u64 > self.most {
            std::fs::rename(self.directory.join(NAME), self.directory.join(BEFORE))?;
            (current.file, current.size) = (open(&self.directory)?, 0);
        }
        let written = current.file.write_all(text);
        match written {
            Ok(()) => current.size += text.len() as u64,
            // Half a line would make one of the next.
            Err(_) => current.file.set_len(current.size)?,
        }
        written
    }
}

fn open(directory: &Path) -> io::Result<File> {
    File::options().append(true).create(true).mode(0o600).open(directory.join(NAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(directory: &Path, name: &str) -> String {
        std::fs::read_to_string(directory.join(name)).unwrap_or_default()
    }

    #[test]
    fn a_full_log_becomes_the_one_before_and_what_is_older_goes() {
        let directory = tempfile::tempdir().unwrap();
        let log = Log::of_size(directory.path(), 100).unwrap();
        for text in ["one\n", "two\n", "three\n", "four\n", "five\n"] {
            log.write(Stream::Output, text.as_bytes());
        }
        let (before, now) = (read(directory.path(), BEFORE), read(directory.path(), NAME));
        assert!(before.len() <= 100 && now.len() <= 100);
        assert!(before.ends_with("F four\n") && now.ends_with("F five\n"), "{before:?} {now:?}");
        assert!(!before.contains("one"));
    }

    #[test]
    fn what_a_full_disk_did_not_take_is_told_when_it_has_room_again() {
        let directory = tempfile::tempdir().unwrap();
        let log = Log::of_size(directory.path(), 1000).unwrap();
        let full = || File::options().write(true).open("/dev/full").unwrap();
        let good = std::mem::replace(&mut log.current.lock().unwrap().file, full());
        log.write(Stream::Output, b"lost\n");
        log.write(Stream::Error, b"too\n");
        log.current.lock().unwrap().file = good;
        log.write(Stream::Output, b"kept\n");
        let text = read(directory.path(), NAME);
        assert!(text.contains(" bottle F 9 bytes of output could not be written here and are lost\n"), "{text}");
        assert!(text.ends_with(" stdout F kept\n") && text.lines().count() == 2, "{text}");
    }
}
