//! How is a file read that somebody names, which may be anything? To its end, which must come soon.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::segments;

/// The bytes of a file, at most `most` of them.
///
/// # Errors
/// What the system says, `FileTooLarge` where there are more.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_from(&File::open(path)?, most)
}

/// The same of a file that is open.
///
/// # Errors
/// As [`read`].
pub fn read_from(file: &File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let why = format!("it is larger than {most} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

/// The same as text.
///
/// # Errors
/// As [`read`], and `InvalidData` where it is no UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    text(read(path, most)?)
}

/// The text of a file that was found and that nobody named: what is no regular file is not waited for.
///
/// # Errors
/// As [`read_text`], and `InvalidInput` where it is a FIFO or the like.
pub fn read_found(path: &Path, most: u64) -> io::Result<String> {
    text(read_from(&segments::regular(path)?, most)?)
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_is_an_error_and_what_just_fits_is_read() {
        assert_eq!(read(Path::new("/dev/zero"), 1000).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "1234").unwrap();
        assert_eq!(read_text(file.path(), 4).unwrap(), "1234");
        assert!(read(file.path(), 3).is_err());
    }
}
