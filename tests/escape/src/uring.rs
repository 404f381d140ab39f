//! How are calls made through a ring instead? One at a time, in memory of the program's own, so that nothing must be mapped.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::sys::{self, Arg};

const PAGE: usize = 4096;
/// Memory from the program (6.5), no indirection (6.6).
const FLAGS: u32 = 1 << 14 | 1 << 16;

/// A ring of one entry.
pub(crate) struct Ring {
    descriptor: OwnedFd,
    memory: Vec<AtomicU32>,
    /// Where the pages begin, in words: entries in the first, both rings in the second.
    first: usize,
    /// Words of the rings: tail of what is submitted, head of what is done, where that lies.
    tail: usize,
    head: usize,
    done: usize,
}

impl Ring {
    pub(crate) fn new() -> io::Result<Self> {
        let memory: Vec<AtomicU32> = (0..3 * PAGE / 4).map(|_| AtomicU32::new(0)).collect();
        let start = memory.as_ptr() as usize;
        let first = start.next_multiple_of(PAGE);
        let mut about = [0; 120];
        about[8..12].copy_from_slice(&FLAGS.to_ne_bytes());
        about[72..80].copy_from_slice(&(first as u64).to_ne_bytes());
        about[112..120].copy_from_slice(&((first + PAGE) as u64).to_ne_bytes());
        let made = sys::call(libc::SYS_io_uring_setup, &mut [Arg::Number(1), Arg::Out(&mut about)])?;
        let word =
            |at: usize| u32::from_ne_bytes([about[at], about[at + 1], about[at + 2], about[at + 3]]) as usize / 4;
        let (first, descriptor) = ((first - start) / 4, sys::owned(made)?);
        Ok(Self { descriptor, memory, first, tail: word(44), head: word(80), done: word(100) })
    }

    /// Makes one call, and gives its result.
    pub(crate) fn call(
        &mut self,
        code: u8,
        descriptor: i32,
        offset: u64,
        address: u64,
        length: u32,
    ) -> io::Result<i32> {
        let rings = self.first + PAGE / 4;
        let pair = |value: u64| [value as u32, (value >> 32) as u32];
        let ([o1, o2], [a1, a2]) = (pair(offset), pair(address));
        let entry = [u32::from(code), descriptor.cast_unsigned(), o1, o2, a1, a2, length, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        for (at, word) in entry.into_iter().enumerate() {
            self.memory[self.first + at].store(word, Ordering::Relaxed);
        }
        self.memory[rings + self.tail].fetch_add(1, Ordering::Release);
        let wait = 1;
        let numbers = [self.descriptor.as_raw_fd() as u64, 1, 1, wait, 0, 0];
        sys::call(libc::SYS_io_uring_enter, &mut numbers.map(Arg::Number))?;
        // There is room for two that are done, of four words each.
        let head = self.memory[rings + self.head].fetch_add(1, Ordering::AcqRel);
        let result = self.memory[rings + self.done + (head as usize & 1) * 4 + 2].load(Ordering::Acquire).cast_signed();
        if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(result) }
    }
}
