//! How does a program on the pty learn that nothing more will be typed? By the terminal's end-of-file character.
//!
//! The character is an end only for whoever reads it: a shell that switches off line editing after it was typed finds a
//! NUL in its place, and what is typed after a piece of a line ends only that piece. So it is typed again whenever
//! everything was read, until nobody is left to read.

use std::fs::File;
use std::io::{self, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::pty::OpenptFlags;
use rustix::termios::{SpecialCodeIndex, tcgetattr};

/// Control-D, for a terminal whose own character is switched off.
const USUAL: u8 = 4;

/// How soon it is noticed that all was read.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Types the end of the input until the other side is closed. Given the master; the other side has been opened.
pub(super) fn type_in(mut master: &File) -> io::Result<()> {
    while !closed(master)? {
        if all_is_read(master)? {
            let own = tcgetattr(master)?.special_codes[SpecialCodeIndex::VEOF];
            master.write_all(&[if own == 0 { USUAL } else { own }])?;
        }
    }
    Ok(())
}

/// Waits for a moment; whether the last process has closed its side.
fn closed(master: &File) -> io::Result<bool> {
    let mut polled = [PollFd::new(master, PollFlags::empty())];
    retry_on_intr(|| poll(&mut polled, Some(&PAUSE)))?;
    Ok(polled[0].revents().contains(PollFlags::HUP))
}

/// Only the other side tells, so it is opened; not for longer, since its end is the end of the run's output.
fn all_is_read(master: &File) -> io::Result<bool> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let other = rustix::pty::ioctl_tiocgptpeer(master, flags)?;
    let mut polled = [PollFd::new(&other, PollFlags::IN)];
    Ok(retry_on_intr(|| poll(&mut polled, Some(&Timespec::default())))? == 0)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use rustix::pty::{ioctl_tiocgptpeer, openpt, unlockpt};
    use rustix::termios::{OptionalActions, tcsetattr};

    use super::*;

    fn terminal() -> (File, File) {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        unlockpt(&master).unwrap();
        let other = ioctl_tiocgptpeer(&master, flags).unwrap();
        (master.into(), other.into())
    }

    #[test]
    fn what_was_typed_is_read_to_its_end_and_the_end_again() {
        let (mut master, mut other) = terminal();
        master.write_all(b"a line\nand a piece").unwrap();
        let typing = std::thread::spawn(move || type_in(&master));
        for _ in 0..2 {
            let mut text = String::new();
            other.read_to_string(&mut text).unwrap();
            assert!(["a line\nand a piece", ""].contains(&text.as_str()), "{text:?}");
        }
        drop(other);
        typing.join().unwrap().unwrap();
    }

    #[test]
    fn a_reader_that_edits_lines_itself_gets_the_character() {
        let (master, mut other) = terminal();
        let mut attributes = tcgetattr(&other).unwrap();
        attributes.special_codes[SpecialCodeIndex::VEOF] = 7;
        attributes.make_raw();
        tcsetattr(&other, OptionalActions::Now, &attributes).unwrap();
        let typing = std::thread::spawn(move || type_in(&master));
        let mut byte = [0];
        other.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [7]);
        drop(other);
        typing.join().unwrap().unwrap();
    }
}
