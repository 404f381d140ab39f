//! What do all files of registries.conf together say? One main file, and drop-ins that change parts of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::registries::RegistriesError;
use super::{Places, read};

/// One file as written, version 2 of the format.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Document {
    pub(super) unqualified_search_registries: Option<Vec<String>>,
    pub(super) short_name_mode: Option<String>,
    pub(super) registry: Vec<Registry>,
    pub(super) aliases: BTreeMap<String, String>,
    /// The first version's, which is no longer read.
    registries: Option<toml::Value>,
}

/// What is said of a part of the names.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Registry {
    pub(super) prefix: String,
    pub(super) location: String,
    pub(super) insecure: bool,
    pub(super) blocked: bool,
    pub(super) mirror_by_digest_only: bool,
    pub(super) mirror: Vec<Mirror>,
}

/// Another place for the same.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Mirror {
    pub(super) location: String,
    pub(super) insecure: bool,
    pub(super) pull_from_mirror: Option<String>,
}

/// All files in one, and whether there was any.
pub(super) fn load(places: &Places) -> Result<(Document, bool), RegistriesError> {
    let mut merged: Option<Document> = None;
    for path in files(places)? {
        let failed = |source| RegistriesError::Read { path: path.clone(), source };
        let Some(text) = read(&path).map_err(failed)? else { continue };
        let next = parse(&text, &path)?;
        merged = Some(match merged {
            None => next,
            Some(merged) => overlay(merged, next),
        });
    }
    let configured = merged.is_some();
    Ok((merged.unwrap_or_default(), configured))
}

/// The files in the order in which later ones win.
fn files(places: &Places) -> Result<Vec<PathBuf>, RegistriesError> {
    let user = places.config();
    if let Some(path) = places.variable("CONTAINERS_REGISTRIES_CONF") {
        return Ok(vec![path.into()]);
    }
    let main = user.join("registries.conf");
    let mut files = vec![if main.exists() { main } else { places.system().join("registries.conf") }];
    for directory in [places.system(), user] {
        files.extend(drop_ins(&directory.join("registries.conf.d"))?);
    }
    let cache = match places.uid {
        0 => places.host.join("var/cache/containers"),
        _ => places.below_home("XDG_CACHE_HOME", ".cache").join("containers"),
    };
    files.push(cache.join("short-name-aliases.conf"));
    Ok(files)
}

fn drop_ins(directory: &Path) -> Result<Vec<PathBuf>, RegistriesError> {
    let Ok(listed) = std::fs::read_dir(directory) else { return Ok(Vec::new()) };
    let paths: Result<Vec<PathBuf>, _> = listed.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(|source| RegistriesError::Read { path: directory.to_owned(), source })?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
    paths.sort();
    Ok(paths)
}

pub(super) fn parse(text: &str, path: &Path) -> Result<Document, RegistriesError> {
    let document: Document = toml::from_str(text)
        .map_err(|source| RegistriesError::Toml { path: path.to_owned(), source: Box::new(source) })?;
    if document.registries.is_some() {
        return Err(RegistriesError::VersionOne(path.to_owned()));
    }
    let unnamed = document.registry.iter().any(|registry| registry.prefix.is_empty() && registry.location.is_empty());
    if unnamed {
        return Err(RegistriesError::Unnamed(path.to_owned()));
    }
    Ok(document)
}

/// A drop-in replaces what is said of the same part of the names, and adds the rest.
fn overlay(mut merged: Document, next: Document) -> Document {
    for registry in next.registry {
        merged.registry.retain(|other| other.applies_to() != registry.applies_to());
        merged.registry.push(registry);
    }
    merged.aliases.extend(next.aliases);
    Document {
        unqualified_search_registries: next.unqualified_search_registries.or(merged.unqualified_search_registries),
        short_name_mode: next.short_name_mode.or(merged.short_name_mode),
        ..merged
    }
}

impl Registry {
    /// The part of the names that this is about.
    pub(super) fn applies_to(&self) -> &str {
        if self.prefix.is_empty() { &self.location } else { &self.prefix }
    }
}
