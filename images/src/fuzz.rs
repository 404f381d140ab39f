//! What do the readers of images make of any bytes? Doors for the fuzz targets, and for nothing else.

use std::io::BufReader;

use crate::config::Config;
use crate::layer::Archive;
use crate::manifest::Found;
use crate::pull::challenge;

/// The entries of an archive that comes in pieces of at most `piece` bytes, each with the sum of its content and how long that
/// is, and at last the error, if there is one.
pub fn archive(bytes: &[u8], piece: usize) -> (Vec<String>, Option<String>) {
    let mut archive = Archive::new(BufReader::with_capacity(piece, bytes));
    let mut entries = Vec::new();
    let mut read = || {
        while let Some(entry) = archive.next()? {
            let (mut length, mut sum, mut buffer) = (0_u64, 0_u64, [0; 4096]);
            loop {
                let count = archive.read(&mut buffer)?;
                if count == 0 {
                    break;
                }
                length += count as u64;
                sum = buffer[..count].iter().fold(sum, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
            }
            entries.push(format!("{entry:?} {length} {sum}"));
        }
        Ok::<_, crate::ArchiveError>(())
    };
    let error = read().err().map(|error| error.to_string());
    (entries, error)
}

/// How many layers or manifests a document of a registry names, where it is a manifest or an index.
pub fn manifest(bytes: &[u8]) -> Option<usize> {
    match Found::parse(bytes, None).ok()? {
        Found::Manifest(manifest) => Some(manifest.layers.len()),
        Found::Index(index) => Some(index.entries.len()),
    }
}

/// A configuration for as many layers as it says that it has.
pub fn config(bytes: &[u8], layers: usize) -> Option<Config> {
    Config::parse(bytes, layers).ok()
}

/// What a WWW-Authenticate header asks for: `basic`, or what a token is asked for with.
pub fn challenge(header: &str) -> Option<Vec<Option<String>>> {
    match challenge::parse([header].into_iter())? {
        challenge::Challenge::Basic => Some(Vec::new()),
        challenge::Challenge::Bearer { realm, service, scope } => Some(vec![Some(realm), service, scope]),
    }
}
