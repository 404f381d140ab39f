//! Where is an image of this name to be had? As containers-registries.conf(5) says.

use std::io;
use std::path::PathBuf;

use super::Places;
use super::merge::{self, Document, Registry};
use crate::name::{Name, Written};

/// What is configured.
#[derive(Clone, Debug)]
pub struct Registries {
    document: Document,
    /// Whether any file was there.
    configured: bool,
}

/// One place to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Host and perhaps port.
    pub host: String,
    /// The repository there.
    pub repository: String,
    /// Whether plain HTTP and unknown certificates will do.
    pub insecure: bool,
}

/// Why the configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RegistriesError {
    /// A file can't be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file makes no sense.
    #[error("cannot understand {}", path.display())]
    Toml {
        /// Which one.
        path: PathBuf,
        /// Where it stops making sense.
        source: Box<toml::de::Error>,
    },
    /// A file is of the first version.
    #[error("{} is of version 1 of its format, which is not read", .0.display())]
    VersionOne(PathBuf),
    /// A table says nothing of what it is about.
    #[error("{} has a [[registry]] with neither prefix nor location", .0.display())]
    Unnamed(PathBuf),
    /// Images of this name are not to be had.
    #[error("{prefix} is blocked by the registries' configuration")]
    Blocked {
        /// What is blocked.
        prefix: String,
    },
}

impl RegistriesError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            RegistriesError::VersionOne(_) => Some("containers-registries.conf(5) says how version 2 is written: unqualified-search-registries, [[registry]]".into()),
            RegistriesError::Blocked { .. } => Some("see `blocked` in registries.conf".into()),
            _ => None,
        }
    }
}

/// Why a short name means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShortNameError {
    /// No registry is configured for such names.
    #[error("{0:?} names no registry, and none is configured for short names")]
    Nowhere(String),
    /// Several are, and nobody can be asked which is meant.
    #[error("{name:?} could be in any of {}", registries.join(", "))]
    Ambiguous {
        /// The name.
        name: String,
        /// Where it could be.
        registries: Vec<String>,
    },
    /// An alias is no name.
    #[error("the alias of {0:?} is no full image name")]
    Alias(String),
}

impl ShortNameError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            ShortNameError::Nowhere(name) => {
                let library = if name.contains('/') { "" } else { "library/" };
                format!("write docker.io/{library}{name}, or set unqualified-search-registries in registries.conf")
            }
            ShortNameError::Ambiguous { name, registries } => {
                format!("write {}/{name}", registries.first().map_or("HOST", String::as_str))
            }
            ShortNameError::Alias(_) => "see [aliases] in registries.conf and registries.conf.d".into(),
        }
    }
}

impl Registries {
    /// Reads the user's and the system's files.
    ///
    /// # Errors
    /// Where one of them can't be read or makes no sense.
    pub fn load(places: &Places) -> Result<Registries, RegistriesError> {
        let (document, configured) = merge::load(places)?;
        Ok(Registries { document, configured })
    }

    /// What a name may mean, in the order to try: itself, its alias, or the same in each registry for short names. Where nothing
    /// at all is configured, a short name means docker's registry, as it does for docker.
    ///
    /// # Errors
    /// [`ShortNameError`]
    pub fn names(&self, written: &Written) -> Result<Vec<Name>, ShortNameError> {
        if let Some(name) = written.full() {
            return Ok(vec![name]);
        }
        let short = written.to_string();
        if let Some(alias) = self.document.aliases.get(&written.repository).filter(|alias| !alias.is_empty()) {
            let alias: Option<Name> = alias.parse::<Written>().ok().and_then(|alias| {
                let (tag, digest) = (written.tag.clone().or(alias.tag), written.digest.or(alias.digest));
                Written { tag, digest, ..alias }.full()
            });
            return alias.map(|alias| vec![alias]).ok_or(ShortNameError::Alias(short));
        }
        let docker = vec!["docker.io".to_owned()];
        let registries = match &self.document.unqualified_search_registries {
            Some(registries) => registries,
            None if !self.configured => &docker,
            None => return Err(ShortNameError::Nowhere(short)),
        };
        match registries.len() {
            0 => Err(ShortNameError::Nowhere(short)),
            2.. if self.document.short_name_mode.as_deref() == Some("enforcing") => {
                Err(ShortNameError::Ambiguous { name: short, registries: registries.clone() })
            }
            _ => Ok(registries.iter().map(|registry| written.at(registry)).collect()),
        }
    }

    /// Where to ask for an image: its mirrors in order, then where it really is.
    ///
    /// # Errors
    /// [`RegistriesError::Blocked`]
    pub fn endpoints(&self, name: &Name) -> Result<Vec<Endpoint>, RegistriesError> {
        let plain =
            || Endpoint { host: name.host().to_owned(), repository: name.repository().to_owned(), insecure: false };
        let Some((registry, matched)) = self.registry(name) else {
            return Ok(vec![plain()]);
        };
        if registry.blocked {
            return Err(RegistriesError::Blocked { prefix: registry.applies_to().to_owned() });
        }
        let place = name.place();
        let rest = &place[matched.len()..];
        let at = |location: &str, insecure: bool| {
            let location = if location.is_empty() { &matched } else { location };
            let place = format!("{location}{rest}");
            let (host, repository) = place.split_once('/')?;
            Some(Endpoint { host: host.to_owned(), repository: repository.to_owned(), insecure })
        };
        let by_digest = name.digest().is_some();
        let mirrors = registry.mirror.iter().filter(|mirror| match mirror.pull_from_mirror.as_deref() {
            Some("digest-only") => by_digest,
            Some("tag-only") => !by_digest,
            _ => by_digest || !registry.mirror_by_digest_only,
        });
        let mirrors = mirrors
            .filter(|mirror| !mirror.location.is_empty())
            .filter_map(|mirror| at(&mirror.location, mirror.insecure));
        Ok(mirrors.chain(at(&registry.location, registry.insecure)).collect())
    }

    /// What is said of the longest part of the name, and that part.
    fn registry(&self, name: &Name) -> Option<(&Registry, String)> {
        let matches = self
            .document
            .registry
            .iter()
            .filter_map(|registry| Some((registry, matched(registry.applies_to(), name)?)));
        matches.max_by_key(|(registry, matched)| (matched.len(), !registry.applies_to().starts_with("*.")))
    }
}

/// The beginning of `host/repository` that a prefix names, whole parts of it; `*.` stands for names below a host.
fn matched(prefix: &str, name: &Name) -> Option<String> {
    let place = name.place();
    if let Some(domain) = prefix.strip_prefix("*.") {
        let host = name.host();
        let bare = host.split(':').next().unwrap_or(host);
        let below = bare.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'));
        return below.then(|| host.to_owned());
    }
    let rest = place.strip_prefix(prefix)?;
    (rest.is_empty() || rest.starts_with(['/', ':'])).then(|| prefix.to_owned())
}

#[cfg(test)]
#[path = "registries_tests.rs"]
mod tests;
