//! What does an archive of `docker save` hold? Its own manifest.json, in the old layout and in the one that is OCI's, too.

use std::io::Read;

use serde::Deserialize;
use serde_json::json;

use super::files::Files;
use super::{Held, LoadError, Target};
use crate::config::Config;
use crate::digest::Digest;
use crate::limits;
use crate::media::{self, Packing};
use crate::name::{Name, Written};

/// One image of manifest.json.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// Loads the image of this name, or the only one, and writes the manifest that the archive does not have.
pub(super) fn load(to: &Target<'_>, files: &Files, wanted: Option<&Written>) -> Result<Held, LoadError> {
    let missing =
        |name: &str| LoadError::Missing { path: to.path.to_owned(), kind: "docker archive", name: name.to_owned() };
    let text = files.read("manifest.json", limits::MANIFEST)?.ok_or_else(|| missing("manifest.json"))?;
    let saved: Vec<Saved> =
        serde_json::from_slice(&text).map_err(|source| LoadError::Json { name: "manifest.json", source })?;
    let image = choose(to, &saved, wanted)?;
    let bytes = files.read(&image.config, limits::CONFIG)?.ok_or_else(|| missing(&image.config))?;
    if image.layers.len() > limits::LAYERS {
        let (count, limit) = (image.layers.len(), limits::LAYERS);
        return Err(crate::manifest::ManifestError::TooMany { what: "layers", count, limit }.into());
    }
    let config = Config::parse(&bytes, image.layers.len())?;
    let (config_digest, config_size) = (to.store.put(&bytes)?, bytes.len());
    if let Some(named) = named(&image.config).filter(|named| *named != config_digest) {
        return Err(crate::store::BlobError::Mismatch { expected: named, actual: config_digest }.into());
    }
    let mut layers = Vec::new();
    for (name, diff_id) in image.layers.iter().zip(&config.diff_ids) {
        let open = || files.open(name)?.ok_or_else(|| missing(name));
        let (digest, size, packing) = layer(to, &open, name, *diff_id)?;
        layers.push(json!({ "mediaType": packing.media_type(), "digest": digest, "size": size }));
    }
    let config = json!({ "mediaType": media::CONFIG, "digest": config_digest, "size": config_size });
    let manifest = json!({ "schemaVersion": 2, "mediaType": media::MANIFEST, "config": config, "layers": layers });
    let manifest = to.store.put(manifest.to_string().as_bytes())?;
    let names = tags(image).map(|name| name.to_string()).collect();
    Ok(Held { manifest, names })
}

/// Stores a layer under the digest that it has: a plain one has its diff id, a packed one is called so or digested.
fn layer<'a>(
    to: &Target<'_>,
    open: &impl Fn() -> Result<Box<dyn Read + 'a>, LoadError>,
    name: &str,
    diff_id: Digest,
) -> Result<(Digest, u64, Packing), LoadError> {
    let mut first = Vec::new();
    open()?.take(4).read_to_end(&mut first).map_err(LoadError::read(to.path))?;
    let packing = Packing::sniff(&first);
    let digest = match packing {
        Packing::Plain => diff_id,
        _ => match named(name) {
            Some(digest) => digest,
            None => return Ok(unnamed(to, open()?, packing)?),
        },
    };
    to.blob(digest, None, open)?;
    let size = to.store.size(&digest)?;
    Ok((digest, size, packing))
}

fn unnamed(
    to: &Target<'_>,
    from: Box<dyn Read + '_>,
    packing: Packing,
) -> Result<(Digest, u64, Packing), crate::store::BlobError> {
    let (digest, size) = to.store.ingest_unnamed(from)?;
    (to.listener)(crate::event::Event::Stored { blob: digest, already: false });
    Ok((digest, size, packing))
}

/// The digest by which a file of the archive is called.
fn named(path: &str) -> Option<Digest> {
    let name = path.rsplit('/').next().unwrap_or(path);
    Digest::from_hex(name.strip_suffix(".json").unwrap_or(name)).ok()
}

fn tags(saved: &Saved) -> impl Iterator<Item = Name> {
    let tags = saved.repo_tags.iter().flatten();
    // Docker writes its own registry's names short.
    tags.filter_map(|tag| tag.parse::<Written>().ok()).map(|tag| tag.full().unwrap_or_else(|| tag.at("docker.io")))
}

fn choose<'a>(to: &Target<'_>, saved: &'a [Saved], wanted: Option<&Written>) -> Result<&'a Saved, LoadError> {
    let full = wanted.map(|wanted| wanted.full().unwrap_or_else(|| wanted.at("docker.io")).to_string());
    let fits = |image: &&Saved| full.as_ref().is_none_or(|full| tags(image).any(|name| name.to_string() == *full));
    let mut fitting = saved.iter().filter(fits);
    match (fitting.next(), fitting.next()) {
        (Some(image), None) => Ok(image),
        _ => {
            let there = saved.iter().flat_map(tags).take(20).map(|name| name.to_string()).collect();
            Err(LoadError::Which { path: to.path.to_owned(), wanted: wanted.map(Written::to_string), there })
        }
    }
}
