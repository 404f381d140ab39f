//! What does a manifest say? Which layers in which order, and which configuration.

use serde::Deserialize;

use crate::digest::Digest;
use crate::limits;
use crate::media::{self, Document, MediaError, Packing};
use crate::platform::{Claimed, Platform};

/// The name of some content with its kind and size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The digest as it is transferred.
    pub digest: Digest,
    /// Bytes as it is transferred.
    pub size: u64,
    /// How it is packed.
    pub packing: Packing,
}

/// The manifest of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// The configuration.
    pub(crate) config: Digest,
    /// Its bytes.
    pub(crate) config_size: u64,
    /// The layers, lowest first.
    pub(crate) layers: Vec<Layer>,
}

/// What was found where a manifest was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// One image.
    Manifest(Manifest),
    /// Several.
    Index(Index),
}

/// Manifests for several platforms, or by several names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) entries: Vec<Entry>,
}

/// One of several manifests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) platform: Option<Claimed>,
    pub(crate) tag: Option<String>,
    pub(crate) name: Option<String>,
}

/// Why a manifest can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is no JSON, or lacks something.
    #[error("the manifest can't be read")]
    Json(#[from] serde_json::Error),
    /// It is of a kind that is not read.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// It could be read in two ways.
    #[error("the manifest claims to be an index and an image at once")]
    Ambiguous,
    /// Another schema version.
    #[error("the manifest has schema version {0}, and only 2 is known")]
    Version(i64),
    /// It lists too much.
    #[error("the manifest lists {count} {what}, and {limit} are the most that is taken")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A descriptor is beyond all measure.
    #[error("{what} has {size} bytes, and {limit} are the most that is taken")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// Its bytes.
        size: u64,
        /// How many it may have.
        limit: u64,
    },
    /// None is for this machine.
    #[error("none of the image's manifests is for linux/{wanted}; there are {there}")]
    Platform {
        /// The architecture of this machine.
        wanted: String,
        /// What there is.
        there: String,
    },
}

impl ManifestError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            ManifestError::Media(error) => error.hint(),
            ManifestError::Platform { .. } => Some("name an image or a tag that is built for this machine".into()),
            _ => None,
        }
    }
}

/// As written. What else there is does not matter.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: Digest,
    size: u64,
    platform: Option<Claimed>,
    #[serde(default)]
    annotations: std::collections::BTreeMap<String, String>,
}

/// Only what tells the schema: documents of others have neither digests nor sizes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    schema_version: i64,
}

impl Found {
    /// Reads a manifest or an index; `declared` is what the registry says it is, for documents that don't.
    pub(crate) fn parse(bytes: &[u8], declared: Option<&str>) -> Result<Found, ManifestError> {
        let version: Version = serde_json::from_slice(bytes)?;
        match version.schema_version {
            1 => return Err(MediaError::SchemaOne.into()),
            2 => {}
            other => return Err(ManifestError::Version(other)),
        }
        let written: Written = serde_json::from_slice(bytes)?;
        if written.manifests.is_some() && (written.layers.is_some() || written.config.is_some()) {
            return Err(ManifestError::Ambiguous);
        }
        let by_content = if written.manifests.is_some() { Document::Index } else { Document::Manifest };
        // What a registry declares says less than the signed-for bytes do; many declare something general.
        let said = written.media_type.as_deref().or(declared.filter(|kind| kind.starts_with("application/vnd.")));
        if said.map(Document::parse).transpose()?.is_some_and(|kind| kind != by_content) {
            return Err(ManifestError::Ambiguous);
        }
        match by_content {
            Document::Index => Ok(Found::Index(index(written.manifests.unwrap_or_default())?)),
            Document::Manifest => Ok(Found::Manifest(manifest(written)?)),
        }
    }
}

fn manifest(written: Written) -> Result<Manifest, ManifestError> {
    let config = written.config.ok_or_else(|| missing("config"))?;
    let layers = written.layers.ok_or_else(|| missing("layers"))?;
    media::check_config(&config.media_type)?;
    at_most("the configuration", config.size, limits::CONFIG)?;
    if layers.len() > limits::LAYERS {
        return Err(ManifestError::TooMany { what: "layers", count: layers.len(), limit: limits::LAYERS });
    }
    let layers = layers.into_iter().map(|layer| {
        let packing = Packing::parse(&layer.media_type)?;
        at_most("a layer", layer.size, limits::BLOB)?;
        Ok(Layer { digest: layer.digest, size: layer.size, packing })
    });
    let layers = layers.collect::<Result<_, ManifestError>>()?;
    Ok(Manifest { config: config.digest, config_size: config.size, layers })
}

fn index(written: Vec<Descriptor>) -> Result<Index, ManifestError> {
    let entries = written.into_iter().map(|mut entry| Entry {
        digest: entry.digest,
        size: entry.size,
        platform: entry.platform,
        tag: entry.annotations.remove("org.opencontainers.image.ref.name"),
        name: entry.annotations.remove("io.containerd.image.name"),
    });
    Ok(Index { entries: entries.collect() })
}

fn missing(what: &str) -> ManifestError {
    ManifestError::Json(serde::de::Error::custom(format!("`{what}` is missing")))
}

fn at_most(what: &'static str, size: u64, limit: u64) -> Result<(), ManifestError> {
    if size > limit { Err(ManifestError::TooLarge { what, size, limit }) } else { Ok(()) }
}

impl Index {
    /// The manifest for this machine.
    pub(crate) fn choose(&self, platform: &Platform) -> Result<&Entry, ManifestError> {
        let chosen = platform.choose(self.entries.iter().map(|entry| entry.platform.as_ref()));
        chosen.map(|position| &self.entries[position]).ok_or_else(|| ManifestError::Platform {
            wanted: platform.architecture.clone(),
            there: match self.platforms() {
                there if there.is_empty() => "none".to_owned(),
                there => there.join(", "),
            },
        })
    }

    fn platforms(&self) -> Vec<String> {
        self.entries.iter().filter_map(|entry| Some(entry.platform.as_ref()?.to_string())).take(20).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest() -> String {
        Digest::of(b"x").to_string()
    }

    fn parse(value: serde_json::Value) -> Result<Found, ManifestError> {
        Found::parse(value.to_string().as_bytes(), None)
    }

    fn image(layer: &str) -> serde_json::Value {
        json!({ "schemaVersion": 2, "unknown": [1],
            "config": { "mediaType": media::CONFIG, "digest": digest(), "size": 2 },
            "layers": [{ "mediaType": layer, "digest": digest(), "size": 3, "urls": ["x"] }] })
    }

    #[test]
    fn a_manifest_and_an_index_are_told_apart_by_what_they_hold() {
        let Ok(Found::Manifest(manifest)) = parse(image(Packing::Zstd.media_type())) else { panic!() };
        assert_eq!((manifest.layers.len(), manifest.layers[0].packing), (1, Packing::Zstd));
        let entry = |architecture: &str| {
            json!({ "mediaType": media::MANIFEST, "digest": digest(), "size": 9,
                "platform": { "os": "linux", "architecture": architecture } })
        };
        let Ok(Found::Index(index)) =
            parse(json!({ "schemaVersion": 2, "manifests": [entry("amd64"), entry("sparc")] }))
        else {
            panic!()
        };
        let machine =
            |architecture: &str| Platform { architecture: architecture.into(), variants: vec![String::new()] };
        assert!(index.choose(&machine("sparc")).is_ok());
        let error = index.choose(&machine("vax")).unwrap_err().to_string();
        assert!(error.contains("linux/vax") && error.contains("linux/sparc"), "{error}");
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        let mut both = image(Packing::Gzip.media_type());
        both["manifests"] = json!([]);
        assert!(matches!(parse(both), Err(ManifestError::Ambiguous)));
        let mut lying = image(Packing::Gzip.media_type());
        lying["mediaType"] = json!("application/vnd.oci.image.index.v1+json");
        assert!(matches!(parse(lying), Err(ManifestError::Ambiguous)));
    }

    #[test]
    fn schema_one_foreign_layers_and_unknown_types_are_refused() {
        let one = json!({ "schemaVersion": 1, "fsLayers": [] });
        assert!(matches!(parse(one), Err(ManifestError::Media(MediaError::SchemaOne))));
        for layer in ["text/plain", "application/vnd.oci.image.layer.nondistributable.v1.tar"] {
            assert!(matches!(parse(image(layer)), Err(ManifestError::Media(_))));
        }
        assert!(matches!(parse(json!({ "schemaVersion": 3 })), Err(ManifestError::Version(3))));
        assert!(matches!(parse(json!({ "schemaVersion": 2 })), Err(ManifestError::Json(_))));
    }

    #[test]
    fn what_is_beyond_measure_is_refused() {
        let mut many = image(Packing::Plain.media_type());
        many["layers"] = json!(vec![many["layers"][0].clone(); limits::LAYERS + 1]);
        assert!(matches!(parse(many), Err(ManifestError::TooMany { .. })));
        let mut large = image(Packing::Plain.media_type());
        large["config"]["size"] = json!(limits::CONFIG + 1);
        assert!(matches!(parse(large), Err(ManifestError::TooLarge { .. })));
        let mut negative = image(Packing::Plain.media_type());
        negative["layers"][0]["size"] = json!(-1);
        assert!(matches!(parse(negative), Err(ManifestError::Json(_))));
    }
}
