//! What does a directory in OCI's image layout hold?

use std::io::Read;

use super::files::Files;
use super::{Held, LoadError, Target};
use crate::config::Config;
use crate::digest::Digest;
use crate::limits;
use crate::manifest::{Entry, Found, Index, Manifest};
use crate::name::Written;
use crate::platform::Platform;

/// Loads the image with this tag, or the only one.
pub(super) fn load(to: &Target<'_>, files: &Files, tag: Option<&str>, platform: &Platform) -> Result<Held, LoadError> {
    let missing =
        |name: &str| LoadError::Missing { path: to.path.to_owned(), kind: "OCI layout", name: name.to_owned() };
    let text = files.read("index.json", limits::MANIFEST)?.ok_or_else(|| missing("index.json"))?;
    let Found::Index(index) = Found::parse(&text, None)? else {
        return Err(missing("index in index.json"));
    };
    let entry = choose(to, &index, tag, platform)?;
    let (digest, manifest) = manifest(to, files, entry, platform)?;
    let config = blob(files, manifest.config, limits::CONFIG)?;
    Config::parse(&config, manifest.layers.len())?;
    to.store.put(&config)?;
    for layer in &manifest.layers {
        let open = || open(files, layer.digest);
        to.blob(layer.digest, Some(layer.size), open)?;
    }
    let names = [&entry.name, &entry.tag].into_iter().flatten().filter_map(|name| full(name)).collect();
    Ok(Held { manifest: digest, names })
}

/// The entry with this tag; where several have it, the one for this machine.
fn choose<'a>(
    to: &Target<'_>,
    index: &'a Index,
    tag: Option<&str>,
    platform: &Platform,
) -> Result<&'a Entry, LoadError> {
    let fits = |entry: &&Entry| {
        let wanted = tag.and_then(full);
        let is = |name: &Option<String>| {
            name.as_deref().is_some_and(|name| Some(name) == tag || wanted.is_some() && full(name) == wanted)
        };
        tag.is_none() || is(&entry.tag) || is(&entry.name)
    };
    let entries: Vec<&Entry> = index.entries.iter().filter(fits).collect();
    if let [entry] = entries[..] {
        return Ok(entry);
    }
    let same = entries.windows(2).all(|pair| pair[0].tag == pair[1].tag) && !entries.is_empty();
    if same && let Some(chosen) = platform.choose(entries.iter().map(|entry| entry.platform.as_ref())) {
        return Ok(entries[chosen]);
    }
    let name = |entry: &Entry| entry.tag.clone().or(entry.name.clone()).unwrap_or_else(|| entry.digest.to_string());
    let there = index.entries.iter().take(20).map(name).collect();
    Err(LoadError::Which { path: to.path.to_owned(), wanted: tag.map(str::to_owned), there })
}

/// The manifest of an entry, which may be an index of its own.
fn manifest(
    to: &Target<'_>,
    files: &Files,
    entry: &Entry,
    platform: &Platform,
) -> Result<(Digest, Manifest), LoadError> {
    let mut entry = entry.clone();
    for _ in 0..4 {
        let bytes = blob(files, entry.digest, limits::MANIFEST)?;
        match Found::parse(&bytes, None)? {
            Found::Manifest(manifest) => {
                to.store.put(&bytes)?;
                return Ok((entry.digest, manifest));
            }
            Found::Index(index) => entry = index.choose(platform)?.clone(),
        }
    }
    Err(LoadError::Missing {
        path: to.path.to_owned(),
        kind: "OCI layout",
        name: "manifest within four indexes".into(),
    })
}

fn path(digest: Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// A small blob, verified.
fn blob(files: &Files, digest: Digest, limit: u64) -> Result<Vec<u8>, LoadError> {
    let name = path(digest);
    let bytes = files.read(&name, limit)?.ok_or_else(|| missing(&name))?;
    match Digest::of(&bytes) {
        actual if actual == digest => Ok(bytes),
        actual => Err(crate::store::BlobError::Mismatch { expected: digest, actual }.into()),
    }
}

fn open(files: &Files, digest: Digest) -> Result<Box<dyn Read + '_>, LoadError> {
    let name = path(digest);
    files.open(&name)?.ok_or_else(|| missing(&name))
}

fn missing(name: &str) -> LoadError {
    LoadError::Missing { path: name.into(), kind: "OCI layout", name: "such blob".into() }
}

/// A name in full, where what is written is one.
fn full(name: &str) -> Option<String> {
    name.parse::<Written>().ok()?.full().map(|name| name.to_string())
}
