//! What is the SHA-256 of a file that may be large?

use std::fs::File;
use std::io::{self, Read};

use bottle_evidence::Digest;
use sha2::{Digest as _, Sha256};

/// Reads the file from where it stands to its end.
pub(crate) fn of_file(mut file: File) -> io::Result<Digest> {
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 256 * 1024]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Digest(hash.finalize().into())),
            length => hash.update(&buffer[..length]),
        }
    }
}
