//! What does IMAGE on the command line mean?

use std::path::PathBuf;

/// The name of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageRef {
    /// The host's own programs around the working directory.
    Host,
    /// An unpacked root file system.
    Directory(PathBuf),
}

/// Why a text names no image that can be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageRefError {
    /// Nothing was given, or `dir:` without a path.
    #[error("the image name {0:?} is empty")]
    Empty(String),
    /// A kind of image that this version can't run.
    #[error("{kind} images are not built yet: {name:?}")]
    NotBuilt {
        /// What the name asks for, as a person would say it.
        kind: &'static str,
        /// The name as given.
        name: String,
    },
}

impl ImageRefError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            ImageRefError::Empty(_) => "write `host`, or `dir:PATH` for an unpacked root file system".to_owned(),
            // What has no colon and no slash may well be a command before which the image was forgotten.
            ImageRefError::NotBuilt { name, .. } if !name.contains([':', '/']) => {
                format!("for this machine's own `{name}` write `host -- {name}`; {UNPACK}")
            }
            ImageRefError::NotBuilt { .. } => format!("use `host` for this machine's own programs; {UNPACK}"),
        }
    }
}

const UNPACK: &str = "an image has to be unpacked (`skopeo copy` and `umoci unpack`) and named as `dir:PATH`";

const NOT_BUILT: [(&str, &str); 4] = [
    ("oci:", "OCI layout"),
    ("oci-archive:", "OCI archive"),
    ("docker-archive:", "docker archive"),
    ("docker://", "registry"),
];

impl ImageRef {
    /// Reads `host` or `dir:PATH`. A relative path stays relative: [`crate::resolve`] joins it to the working directory.
    ///
    /// # Errors
    /// [`ImageRefError`] for everything else.
    pub fn parse(name: &str) -> Result<ImageRef, ImageRefError> {
        if name == "host" {
            return Ok(ImageRef::Host);
        }
        match name.strip_prefix("dir:") {
            Some(path) if !path.is_empty() => return Ok(ImageRef::Directory(path.into())),
            None if !name.is_empty() => {}
            _ => return Err(ImageRefError::Empty(name.to_owned())),
        }
        let kind = NOT_BUILT.iter().find(|(prefix, _)| name.starts_with(prefix));
        Err(ImageRefError::NotBuilt { kind: kind.map_or("registry", |(_, kind)| kind), name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_directories_are_images() {
        assert_eq!(ImageRef::parse("host"), Ok(ImageRef::Host));
        assert_eq!(ImageRef::parse("dir:root fs"), Ok(ImageRef::Directory("root fs".into())));
    }

    #[test]
    fn what_is_not_built_yet_says_so_and_what_to_do() {
        for (name, kind) in [("alpine", "registry"), ("oci:x", "OCI layout"), ("docker-archive:f", "docker archive")] {
            let error = ImageRef::parse(name).unwrap_err();
            assert!(error.to_string().starts_with(kind), "{error}");
            assert!(error.hint().contains("dir:PATH"));
        }
    }

    #[test]
    fn a_command_without_an_image_is_told_where_the_image_goes() {
        assert!(ImageRef::parse("curl").unwrap_err().hint().contains("write `host -- curl`"));
        assert!(!ImageRef::parse("docker://curl").unwrap_err().hint().contains("-- "));
    }

    #[test]
    fn an_empty_name_is_refused() {
        assert!(matches!(ImageRef::parse(""), Err(ImageRefError::Empty(_))));
        assert!(matches!(ImageRef::parse("dir:"), Err(ImageRefError::Empty(_))));
    }
}
