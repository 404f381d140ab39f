//! Which kinds of documents and layers are understood?

/// What a document of a registry or layout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Document {
    /// The layers and the configuration of one image.
    Manifest,
    /// Manifests for several platforms.
    Index,
}

/// How a layer's archive is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// Why a media type can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// Docker's first manifest format.
    #[error("the image has a manifest of Docker's schema 1, which is not read any more")]
    SchemaOne,
    /// A layer that is not to be given by registries.
    #[error("a layer has the type {0:?}: its content is not in the registry (a foreign layer)")]
    Foreign(String),
    /// An encrypted layer.
    #[error("a layer has the type {0:?}: it is encrypted")]
    Encrypted(String),
    /// Anything else.
    #[error("{what} has the type {found:?}, which is not known")]
    Unknown {
        /// What it was to be.
        what: &'static str,
        /// Its type.
        found: String,
    },
}

impl MediaError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            MediaError::SchemaOne => "push it again with a current docker, podman or skopeo, which write schema 2",
            MediaError::Foreign(_) => "such layers belong to Windows; is there an image for linux?",
            MediaError::Encrypted(_) => "decrypt it first: skopeo copy --decryption-key",
            MediaError::Unknown { .. } => "it may be an artifact (a chart, a signature, a model) and no image",
        };
        Some(text.into())
    }
}

/// What a registry is asked for, most wanted first.
pub(crate) const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// The types that are written.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

impl Document {
    pub(crate) fn parse(found: &str) -> Result<Document, MediaError> {
        match found {
            MANIFEST | "application/vnd.docker.distribution.manifest.v2+json" => Ok(Document::Manifest),
            "application/vnd.oci.image.index.v1+json" | "application/vnd.docker.distribution.manifest.list.v2+json" => {
                Ok(Document::Index)
            }
            "application/vnd.docker.distribution.manifest.v1+json"
            | "application/vnd.docker.distribution.manifest.v1+prettyjws" => Err(MediaError::SchemaOne),
            other => Err(MediaError::Unknown { what: "a manifest", found: short(other) }),
        }
    }
}

impl Packing {
    pub(crate) fn parse(found: &str) -> Result<Packing, MediaError> {
        match found {
            "application/vnd.oci.image.layer.v1.tar" | "application/vnd.docker.image.rootfs.diff.tar" => {
                Ok(Packing::Plain)
            }
            "application/vnd.oci.image.layer.v1.tar+gzip" | "application/vnd.docker.image.rootfs.diff.tar.gzip" => {
                Ok(Packing::Gzip)
            }
            "application/vnd.oci.image.layer.v1.tar+zstd" | "application/vnd.docker.image.rootfs.diff.tar.zstd" => {
                Ok(Packing::Zstd)
            }
            foreign if foreign.contains("nondistributable") || foreign.contains("rootfs.foreign") => {
                Err(MediaError::Foreign(short(foreign)))
            }
            encrypted if encrypted.ends_with("+encrypted") => Err(MediaError::Encrypted(short(encrypted))),
            other => Err(MediaError::Unknown { what: "a layer", found: short(other) }),
        }
    }

    /// By the first bytes, for archives that say nothing of it.
    pub(crate) fn sniff(first: &[u8]) -> Packing {
        match first {
            [0x1f, 0x8b, ..] => Packing::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstd,
            // A skippable frame, with which some writers begin.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Packing::Zstd,
            _ => Packing::Plain,
        }
    }

    /// The type of a layer that is packed like this.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Packing::Plain => "application/vnd.oci.image.layer.v1.tar",
            Packing::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Packing::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }
}

/// Whether this is the type of an image's configuration; what else an artifact has is no image.
pub(crate) fn check_config(found: &str) -> Result<(), MediaError> {
    match found {
        CONFIG | "application/vnd.docker.container.image.v1+json" => Ok(()),
        other => Err(MediaError::Unknown { what: "the configuration", found: short(other) }),
    }
}

fn short(text: &str) -> String {
    text.chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_oci_and_docker_are_known() {
        for packing in [Packing::Plain, Packing::Gzip, Packing::Zstd] {
            assert_eq!(Packing::parse(packing.media_type()), Ok(packing));
        }
        assert_eq!(Packing::parse("application/vnd.docker.image.rootfs.diff.tar.gzip"), Ok(Packing::Gzip));
        assert_eq!(Document::parse("application/vnd.docker.distribution.manifest.list.v2+json"), Ok(Document::Index));
    }

    #[test]
    fn what_is_not_read_is_told_apart() {
        let schema_one = Document::parse("application/vnd.docker.distribution.manifest.v1+prettyjws");
        assert_eq!(schema_one, Err(MediaError::SchemaOne));
        for foreign in [
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        ] {
            assert!(matches!(Packing::parse(foreign), Err(MediaError::Foreign(_))));
        }
        assert!(matches!(
            Packing::parse("application/vnd.oci.image.layer.v1.tar+gzip+encrypted"),
            Err(MediaError::Encrypted(_))
        ));
        assert!(matches!(Packing::parse("text/plain"), Err(MediaError::Unknown { .. })));
        assert!(check_config("application/vnd.cncf.helm.config.v1+json").is_err());
    }
}
