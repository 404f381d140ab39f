//! How does one direction move? By read and write until it shows bulk, then by splice while a pipe is free.
//!
//! An idle connection holds no buffer: the one scratch buffer of the thread is filled and emptied without waiting in
//! between, and only what the sink did not take is kept.

use std::cell::RefCell;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::io::Interest;
use tokio::net::TcpStream;

use super::{Pipes, Stop};

const FIRST: usize = 16 * 1024;
const MOST: usize = 256 * 1024;
/// What a direction may read while others hold as much as all may together.
const LEAST: usize = 4 * 1024;
const HELD_BY_ALL: usize = 32 << 20;
/// Loads of at least this size, so many in a row, are bulk.
const LARGE: usize = 64 * 1024;
const LARGE_IN_A_ROW: u32 = 4;

static HELD: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// One direction of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Flow<'a> {
    /// Where bytes come from.
    pub from: &'a TcpStream,
    /// Where they go.
    pub to: &'a TcpStream,
    /// How many went.
    pub count: &'a AtomicU64,
    /// What carries bulk.
    pub pipes: &'a Pipes,
}

enum Moved {
    /// All that was read.
    All(usize),
    /// The sink did not take this.
    Stuck(Vec<u8>),
    EndOfFile,
    Nothing,
}

impl Flow<'_> {
    /// Copies to the end of file and passes that on.
    pub async fn copy(self) -> Result<(), Stop> {
        let (mut window, mut large) = (FIRST, 0);
        loop {
            self.from.readable().await.map_err(Stop::Source)?;
            if large >= LARGE_IN_A_ROW
                && let Some(moved) = self.splice().await?
            {
                match moved {
                    Moved::EndOfFile => break,
                    Moved::All(count) if count < LARGE => large -= 1,
                    _ => large = LARGE_IN_A_ROW + 4,
                }
            } else {
                match self.shovel(window)? {
                    Moved::EndOfFile => break,
                    Moved::Nothing => {}
                    Moved::All(count) => {
                        large = if count >= LARGE { large + 1 } else { 0 };
                        window = if count == window { (window * 2).min(MOST) } else { window };
                    }
                    Moved::Stuck(rest) => {
                        large += u32::from(window >= LARGE);
                        window = (window / 2).max(FIRST);
                        self.push(rest).await?;
                    }
                }
            }
            tokio::task::consume_budget().await;
        }
        self.finish()
    }

    /// Passes an end of file on.
    pub fn finish(self) -> Result<(), Stop> {
        match rustix::net::shutdown(self.to, rustix::net::Shutdown::Write) {
            // A peer that is gone already needs no end of file.
            Ok(()) | Err(rustix::io::Errno::NOTCONN) => Ok(()),
            Err(errno) => Err(Stop::Sink(errno.into())),
        }
    }

    /// Writes all of `bytes`, which were already judged.
    pub async fn send(self, bytes: &[u8]) -> Result<(), Stop> {
        write_all(self.to, bytes, self.count).await.map_err(Stop::Sink)
    }

    fn shovel(self, window: usize) -> Result<Moved, Stop> {
        let window = if HELD.load(Ordering::Relaxed) < HELD_BY_ALL { window } else { LEAST };
        SCRATCH.with_borrow_mut(|scratch| {
            if scratch.len() < window {
                scratch.resize(window, 0);
            }
            let read = match self.from.try_read(&mut scratch[..window]) {
                Ok(0) => return Ok(Moved::EndOfFile),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Moved::Nothing);
                }
                Err(error) => return Err(Stop::Source(error)),
            };
            let written = write_some(self.to, &scratch[..read]).map_err(Stop::Sink)?;
            self.count.fetch_add(written as u64, Ordering::Relaxed);
            Ok(if written == read { Moved::All(read) } else { Moved::Stuck(scratch[written..read].to_vec()) })
        })
    }

    async fn push(self, rest: Vec<u8>) -> Result<(), Stop> {
        let _held = Held::new(rest.len());
        self.send(&rest).await
    }

    /// One load through a pipe; nothing if none is free or the sockets can't.
    async fn splice(self) -> Result<Option<Moved>, Stop> {
        let Some(mut pipe) = self.pipes.borrow() else {
            return Ok(None);
        };
        let load = match self.from.try_io(Interest::READABLE, || pipe.fill(self.from)) {
            Ok(0) => return Ok(Some(Moved::EndOfFile)),
            Ok(load) => load,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Ok(Some(Moved::Nothing));
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Ok(None),
            Err(error) => return Err(Stop::Source(error)),
        };
        while pipe.load() > 0 {
            match self.to.try_io(Interest::WRITABLE, || pipe.empty(self.to)) {
                Ok(moved) => drop(self.count.fetch_add(moved as u64, Ordering::Relaxed)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.to.writable().await.map_err(Stop::Sink)?;
                }
                Err(error) => return Err(Stop::Sink(error)),
            }
        }
        Ok(Some(Moved::All(load)))
    }
}

/// Reads what is there, at most `most` bytes, onto the end of `into`. Zero at the end of file. Holds nothing while it waits.
pub async fn read_some(from: &TcpStream, into: &mut Vec<u8>, most: usize) -> io::Result<usize> {
    loop {
        from.readable().await?;
        let result = SCRATCH.with_borrow_mut(|scratch| {
            if scratch.len() < most {
                scratch.resize(most, 0);
            }
            let read = from.try_read(&mut scratch[..most])?;
            into.extend_from_slice(&scratch[..read]);
            Ok(read)
        });
        match result {
            Err(error) if io::Error::kind(&error) == io::ErrorKind::WouldBlock => {}
            other => return other,
        }
    }
}

/// Writes all of `bytes` and counts them.
pub async fn write_all(to: &TcpStream, mut bytes: &[u8], count: &AtomicU64) -> io::Result<()> {
    loop {
        let written = write_some(to, bytes)?;
        count.fetch_add(written as u64, Ordering::Relaxed);
        bytes = &bytes[written..];
        if bytes.is_empty() {
            return Ok(());
        }
        to.writable().await?;
    }
}

/// Writes until the socket takes no more.
fn write_some(to: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match to.try_write(&bytes[written..]) {
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

/// Bytes kept outside the scratch buffer, by all connections together.
struct Held(usize);

impl Held {
    fn new(bytes: usize) -> Held {
        HELD.fetch_add(bytes, Ordering::Relaxed);
        Held(bytes)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.fetch_sub(self.0, Ordering::Relaxed);
    }
}
