//! Which pipe carries bulk between two sockets inside the kernel? One of a few, made before confinement and lent for one load.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

/// A fixed number of pipes for all connections.
#[derive(Debug)]
pub struct Pipes {
    free: Mutex<Vec<Pipe>>,
}

/// The pipes could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the pipes for relaying")]
pub struct PipesError(#[source] io::Error);

#[derive(Debug)]
struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
}

/// The user's share of pipe pages may be used up: then smaller ones do.
const SIZES: [usize; 3] = [1 << 20, 1 << 18, 1 << 16];

impl Pipes {
    /// Makes `count` pipes; nothing opens another one later.
    pub fn new(count: usize) -> Result<Pipes, PipesError> {
        let free = (0..count).map(|_| Pipe::new()).collect::<io::Result<_>>().map_err(PipesError)?;
        Ok(Pipes { free: Mutex::new(free) })
    }

    /// An empty pipe, if one is free.
    pub(super) fn borrow(&self) -> Option<Lent<'_>> {
        let pipe = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        Some(Lent { pipe: Some(pipe), load: 0, home: self })
    }
}

impl Pipe {
    fn new() -> io::Result<Pipe> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        for size in SIZES {
            if fcntl_setpipe_size(&write, size).is_ok() {
                break;
            }
        }
        Ok(Pipe { read, write })
    }
}

/// A pipe in use. It goes back empty.
#[derive(Debug)]
pub(super) struct Lent<'a> {
    pipe: Option<Pipe>,
    load: usize,
    home: &'a Pipes,
}

impl Lent<'_> {
    /// Moves what `from` has into the empty pipe; zero at the end of file.
    pub(super) fn fill(&mut self, from: &impl rustix::fd::AsFd) -> io::Result<usize> {
        let pipe = self.pipe.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        self.load = splice(from, None, &pipe.write, None, SIZES[0], flags())?;
        Ok(self.load)
    }

    /// Moves on to `to` what it takes; says how much.
    pub(super) fn empty(&mut self, to: &impl rustix::fd::AsFd) -> io::Result<usize> {
        let pipe = self.pipe.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let moved = splice(&pipe.read, None, to, None, self.load, flags())?;
        self.load -= moved;
        Ok(moved)
    }

    /// Bytes in the pipe.
    pub(super) fn load(&self) -> usize {
        self.load
    }
}

fn flags() -> SpliceFlags {
    SpliceFlags::MOVE | SpliceFlags::NONBLOCK
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let Some(pipe) = self.pipe.take() else { return };
        // One connection's bytes must never come out in another.
        let pipe = if self.load == 0 { Some(pipe) } else { drained(pipe, self.load) };
        if let Some(pipe) = pipe {
            self.home.free.lock().unwrap_or_else(PoisonError::into_inner).push(pipe);
        }
    }
}

/// The pipe without its load, or nothing if that can't be had: then the pool is one smaller.
fn drained(pipe: Pipe, mut load: usize) -> Option<Pipe> {
    let mut file = std::fs::File::from(pipe.read);
    let mut sink = [0; 4096];
    while load > 0 {
        let most = load.min(sink.len());
        match file.read(&mut sink[..most]) {
            Ok(0) | Err(_) => return None,
            Ok(count) => load -= count,
        }
    }
    Some(Pipe { read: file.into(), write: pipe.write })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_pipe_given_back_with_a_load_comes_out_empty() {
        let pipes = Pipes::new(1).expect("a pipe");
        let (mut ours, theirs) = UnixStream::pair().expect("a pair");
        ours.write_all(&[7; 10_000]).expect("fits");
        let mut lent = pipes.borrow().expect("free");
        assert_eq!(lent.fill(&theirs).expect("filled"), 10_000);
        assert!(pipes.borrow().is_none());
        drop(lent);
        ours.write_all(b"next").expect("fits");
        let mut again = pipes.borrow().expect("back");
        assert_eq!(again.fill(&theirs).expect("filled"), 4);
        assert_eq!(again.empty(&theirs).expect("emptied"), 4);
        let mut got = [0; 8];
        assert_eq!(ours.read(&mut got).expect("read"), 4);
        assert_eq!(&got[..4], b"next");
    }
}
