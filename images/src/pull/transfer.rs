//! How does a blob come from a registry? As a stream that is verified; what arrived stays, and the next attempt asks for the rest.

use std::io::Read;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::CONTENT_RANGE;

use super::error::PullError;
use super::registry::Registry;
use crate::digest::Digest;
use crate::event::{Event, Listener};
use crate::store::{BlobError, Ingest, Store};

/// How often a transfer is taken up again when it breaks off.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(300);

/// Brings a blob into the store unless it is there.
pub(super) fn blob(
    store: &Store,
    registry: &Registry,
    digest: Digest,
    size: u64,
    listener: Listener<'_>,
) -> Result<(), PullError> {
    // What an earlier attempt left may be damaged: then all of it is had once more.
    for is_last in [false, true] {
        let Some(mut ingest) = store.ingest(digest, Some(size))? else {
            listener(Event::Stored { blob: digest, already: true });
            return Ok(());
        };
        let resumed = ingest.position();
        listener(Event::Started { blob: digest, size: Some(size), resumed });
        match all(registry, digest, &mut ingest, listener) {
            Ok(()) => {}
            // What broke off is gone on with; what is a lie, or fills the disk, is not.
            Err(error) if error.is_passing() => return Err(error),
            Err(error) => return ingest.discard().map_err(PullError::from).and(Err(error)),
        }
        match ingest.finish() {
            Err(BlobError::Mismatch { .. }) if resumed > 0 && !is_last => continue,
            finished => finished?,
        }
        listener(Event::Stored { blob: digest, already: false });
        return Ok(());
    }
    Ok(())
}

fn all(registry: &Registry, digest: Digest, ingest: &mut Ingest, listener: Listener<'_>) -> Result<(), PullError> {
    let mut attempt = 0;
    while !ingest.is_complete() {
        let before = ingest.position();
        match rest(registry, digest, ingest, listener) {
            Ok(()) => return Ok(()),
            Err(error) if error.is_passing() && attempt < ATTEMPTS => {
                // What makes progress may go on as long as it does.
                attempt = if ingest.position() > before { 0 } else { attempt + 1 };
                let why = std::error::Error::source(&error)
                    .map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
                listener(Event::Retrying { blob: digest, why });
                std::thread::sleep(PAUSE * 2_u32.pow(attempt));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Asks for what is missing and writes it.
fn rest(registry: &Registry, digest: Digest, ingest: &mut Ingest, listener: Listener<'_>) -> Result<(), PullError> {
    let mut response = registry.blob(&digest, ingest.position())?;
    if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
        ingest.restart()?;
        response = registry.blob(&digest, 0)?;
    }
    let mut response = registry.succeeded(response, || format!("blob {digest}"))?;
    let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok()).and_then(begin);
    match response.status() {
        StatusCode::PARTIAL_CONTENT if range == Some(ingest.position()) => {}
        StatusCode::PARTIAL_CONTENT => {
            ingest.restart()?;
            return Err(registry.answer("another part of a blob than was asked for".into()));
        }
        // All of it, from a registry that knows no parts.
        _ => ingest.restart()?,
    }
    let mut buffer = vec![0; 256 << 10];
    loop {
        match response.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => ingest.write(&buffer[..count])?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(registry.network(error)),
        }
        listener(Event::Progress { blob: digest, position: ingest.position() });
    }
    match (ingest.is_complete(), ingest.size()) {
        (false, Some(size)) => Err(BlobError::Short { blob: digest, size, got: ingest.position() }.into()),
        _ => Ok(()),
    }
}

/// The first byte of `bytes FIRST-LAST/ALL`.
fn begin(range: &str) -> Option<u64> {
    range.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_says_where_it_begins() {
        assert_eq!(begin("bytes 5-9/10"), Some(5));
        assert_eq!((begin("bytes */10"), begin("5-9"), begin("bytes -9/10")), (None, None, None));
    }
}
