//! How is a log read, and what comes after it? Each line once, until the run is over.

use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use super::{BEFORE, Line, NAME};
use crate::records::Known;

/// Why a log can't be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// There is none.
    #[error("the bottle was not started with -d, so what it writes goes to whoever started it")]
    None,
    /// The kernel said no.
    #[error("cannot read the log {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// A log that is being read.
#[derive(Debug)]
pub struct Follow {
    directory: PathBuf,
    /// What is read to its end before the current file is.
    before: Option<File>,
    file: File,
    /// A line that has no line feed yet.
    rest: Vec<u8>,
    events: OwnedFd,
    /// Hung up when the supervisor has ended.
    over: OwnedFd,
}

impl Follow {
    /// The log of this run from its beginning, as far as it is kept.
    pub fn open(known: &Known) -> Result<Follow, LogError> {
        let path = known.directory.join(NAME);
        let failed = |source| LogError::Read { path: path.clone(), source };
        let events = watch(&known.directory).map_err(failed)?;
        let over = end_of(known).map_err(failed)?;
        // The file before is opened last: should the log be turned over in between, nothing is read twice.
        let file = File::open(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => LogError::None,
            _ => failed(source),
        })?;
        let before = File::open(known.directory.join(BEFORE)).ok();
        let before = before.filter(|before| !is_same(before, &file));
        Ok(Follow { directory: known.directory.clone(), before, file, rest: Vec::new(), events, over })
    }

    /// Gives each line that is there.
    pub fn read<E>(&mut self, mut line: impl FnMut(&Line<'_>) -> Result<(), E>) -> Result<Result<(), E>, LogError> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let failed = |source| LogError::Read { path: self.directory.join(NAME), source };
            let from = self.before.as_mut().unwrap_or(&mut self.file);
            let count = from.read(&mut buffer).map_err(failed)?;
            if count > 0 {
                self.rest.extend(&buffer[..count]);
            } else if !self.turn() {
                return Ok(Ok(()));
            }
            if let Err(error) = self.whole_lines(&mut line) {
                return Ok(Err(error));
            }
        }
    }

    /// Waits until there may be more; `false` when there will be none, and all that there was can be read once more.
    pub fn wait(&mut self) -> Result<bool, LogError> {
        let failed = |source: Errno| LogError::Read { path: self.directory.join(NAME), source: source.into() };
        let mut ready = [PollFd::new(&self.events, PollFlags::IN), PollFd::new(&self.over, PollFlags::empty())];
        match poll(&mut ready, None) {
            Err(Errno::INTR) => return Ok(true),
            other => other.map_err(failed)?,
        };
        let over = ready[1].revents().contains(PollFlags::HUP);
        let mut space = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.events, &mut space);
        // What they say does not matter: the files are looked at.
        while reader.next().is_ok() {}
        Ok(!over)
    }

    /// From a file that was read to its end to the next one, if there is one.
    fn turn(&mut self) -> bool {
        if self.before.take().is_some() {
            return true;
        }
        match File::open(self.directory.join(NAME)) {
            Ok(next) if !is_same(&next, &self.file) => {
                self.before = Some(std::mem::replace(&mut self.file, next));
                true
            }
            _ => false,
        }
    }

    fn whole_lines<E>(&mut self, mut give: impl FnMut(&Line<'_>) -> Result<(), E>) -> Result<(), E> {
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return Ok(()) };
        let rest = self.rest.split_off(end + 1);
        let whole = std::mem::replace(&mut self.rest, rest);
        whole.split(|byte| *byte == b'\n').filter_map(Line::parse).try_for_each(|line| give(&line))
    }
}

fn is_same(one: &File, other: &File) -> bool {
    match (one.metadata(), other.metadata()) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

fn watch(directory: &Path) -> io::Result<OwnedFd> {
    let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    inotify::add_watch(&events, directory, WatchFlags::MODIFY | WatchFlags::CREATE)?;
    Ok(events)
}

/// A pipe that is hung up when the run's supervisor has ended.
fn end_of(known: &Known) -> io::Result<OwnedFd> {
    let (over, ends) = pipe_with(PipeFlags::CLOEXEC)?;
    let known = known.clone();
    std::thread::spawn(move || {
        // A lock that can't be waited for ends the waiting.
        let _ = known.wait();
        drop(ends);
    });
    Ok(over)
}
