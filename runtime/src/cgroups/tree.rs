//! How are groups made, written, read and removed? By files of the kernel's, or of a model of it in tests.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// What can be done with hierarchies of groups.
pub(crate) trait Tree {
    /// Makes a group.
    fn make(&self, group: &Path) -> io::Result<()>;
    /// Removes a group in which nothing is.
    fn remove(&self, group: &Path) -> io::Result<()>;
    /// Reads a group's file.
    fn read(&self, file: &Path) -> io::Result<String>;
    /// Writes to a group's file, in one piece.
    fn write(&self, file: &Path, text: &str) -> io::Result<()>;
}

/// The kernel's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernel;

impl Tree for Kernel {
    fn make(&self, group: &Path) -> io::Result<()> {
        std::fs::create_dir(group)
    }

    fn remove(&self, group: &Path) -> io::Result<()> {
        std::fs::remove_dir(group)
    }

    fn read(&self, file: &Path) -> io::Result<String> {
        std::fs::read_to_string(file)
    }

    fn write(&self, file: &Path, text: &str) -> io::Result<()> {
        // Never made: what the kernel does not offer must be an error wherever this path leads.
        File::options().write(true).open(file)?.write_all(text.as_bytes())
    }
}
