//! Does a program need other files? A static one names no interpreter, and so nothing is loaded but itself.

use std::io;
use std::path::Path;

/// `PT_INTERP` of elf(5).
const INTERPRETER: u64 = 3;

/// Whether the kernel would load an interpreter (ld.so) for this 64-bit little-endian ELF file.
///
/// # Errors
/// Where it can't be read, or is no such file.
pub fn needs_an_interpreter(program: &Path) -> io::Result<bool> {
    let bytes = std::fs::read(program)?;
    let number = |at: usize, width: usize| {
        let bytes = bytes.get(at..at + width).ok_or(io::ErrorKind::InvalidData)?;
        Ok::<_, io::Error>(bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)))
    };
    if !bytes.starts_with(b"\x7fELF\x02\x01") {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let (first, size, count) = (number(32, 8)? as usize, number(54, 2)? as usize, number(56, 2)? as usize);
    let mut kinds = (0..count).map(|at| number(first + at * size, 4));
    kinds.try_fold(false, |found, kind| Ok(found || kind? == INTERPRETER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_systems_own_shell_needs_one_and_a_static_one_none() {
        assert!(needs_an_interpreter(Path::new("/bin/sh")).unwrap());
        assert!(!needs_an_interpreter(Path::new("/bin/busybox")).unwrap());
        assert!(needs_an_interpreter(Path::new("/etc/passwd")).is_err());
    }
}
