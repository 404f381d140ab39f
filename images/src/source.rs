//! From where is an image had? A registry, or a file or directory that holds one.

use std::fmt;
use std::path::PathBuf;

use crate::digest::Digest;
use crate::name::{NameError, Written};

/// Where an image is had from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A registry.
    Registry(Written),
    /// A directory in OCI's image layout.
    OciLayout {
        /// The directory.
        path: PathBuf,
        /// Which of its images.
        tag: Option<String>,
    },
    /// The same as a tar archive.
    OciArchive {
        /// The archive.
        path: PathBuf,
        /// Which of its images.
        tag: Option<String>,
    },
    /// What `docker save` writes.
    DockerArchive {
        /// The archive.
        path: PathBuf,
        /// Which of its images.
        name: Option<Written>,
    },
}

/// Why a text names no source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// A name that can't be one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// No path follows the kind.
    #[error("{0:?} names no file")]
    NoPath(String),
}

impl Source {
    /// Reads `docker://NAME`, a bare NAME, `oci:PATH[:TAG]`, `oci-archive:FILE[:TAG]` or `docker-archive:FILE[:NAME]`. A TAG has no
    /// slash; what follows the first colon of a docker archive's path is a NAME.
    ///
    /// # Errors
    /// [`SourceError`]
    pub fn parse(text: &str) -> Result<Source, SourceError> {
        let no_path = || SourceError::NoPath(text.to_owned());
        if let Some(rest) = text.strip_prefix("docker-archive:") {
            let (path, name) = rest.split_once(':').map_or((rest, None), |(path, name)| (path, Some(name)));
            let name = name.map(str::parse).transpose()?;
            let path = Some(path).filter(|path| !path.is_empty()).ok_or_else(no_path)?;
            return Ok(Source::DockerArchive { path: path.into(), name });
        }
        let (is_archive, rest) = match (text.strip_prefix("oci-archive:"), text.strip_prefix("oci:")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Ok(Source::Registry(text.strip_prefix("docker://").unwrap_or(text).parse()?)),
        };
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') && !tag.is_empty() => (path, Some(tag.to_owned())),
            _ => (rest, None),
        };
        let path = Some(path).filter(|path| !path.is_empty()).ok_or_else(no_path)?.into();
        Ok(if is_archive { Source::OciArchive { path, tag } } else { Source::OciLayout { path, tag } })
    }

    /// The same with its path made absolute, as the store has it; None where nothing is there.
    pub fn at(&self, cwd: &std::path::Path) -> Option<Source> {
        let mut source = self.clone();
        match &mut source {
            Source::Registry(_) => {}
            Source::OciLayout { path, .. } | Source::OciArchive { path, .. } | Source::DockerArchive { path, .. } => {
                *path = cwd.join(&*path).canonicalize().ok()?;
            }
        }
        Some(source)
    }

    /// The digest of the manifest, where one is named.
    pub fn digest(&self) -> Option<Digest> {
        if let Source::Registry(name) = self { name.digest } else { None }
    }

    /// What kind it is, as a person would say it.
    pub fn kind(&self) -> &'static str {
        match self {
            Source::Registry(_) => "registry",
            Source::OciLayout { .. } => "OCI layout",
            Source::OciArchive { .. } => "OCI archive",
            Source::DockerArchive { .. } => "docker archive",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, path, tag) = match self {
            Source::Registry(name) => return name.fmt(formatter),
            Source::OciLayout { path, tag } => ("oci", path, tag.clone()),
            Source::OciArchive { path, tag } => ("oci-archive", path, tag.clone()),
            Source::DockerArchive { path, name } => ("docker-archive", path, name.as_ref().map(Written::to_string)),
        };
        write!(formatter, "{kind}:{}", path.display())?;
        tag.iter().try_for_each(|tag| write!(formatter, ":{tag}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_read_and_written_as_it_was() {
        for text in [
            "quay.io/a/b:1",
            "debian",
            "oci:/a/b",
            "oci:b:1.0",
            "oci-archive:x.tar:latest",
            "docker-archive:x.tar:quay.io/a:1",
        ] {
            assert_eq!(Source::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Source::parse("docker://debian"), Source::parse("debian"));
        assert_eq!(Source::parse("oci:/a:b/c"), Ok(Source::OciLayout { path: "/a:b/c".into(), tag: None }));
    }

    #[test]
    fn what_names_nothing_is_refused() {
        for text in ["oci:", "oci-archive:", "docker-archive:", "docker-archive::x"] {
            assert!(matches!(Source::parse(text), Err(SourceError::NoPath(_))), "{text}");
        }
        for text in ["", "docker://", "docker-archive:x:../y"] {
            assert!(matches!(Source::parse(text), Err(SourceError::Name(_))), "{text}");
        }
    }
}
