//! What was the engine's runtime told of a container? `config.json` of its bundle, as far as an airlock depends on it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use bottle_evidence::{Digest, canonical, sha256};
use bottle_images::mountinfo::{self, MountPoint};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::devices::{Device, Rule};
use super::guarded::{Unsafe, guarded_own};
use super::mounts::Source;
use super::{mounts, object, seccomp, strict};
use crate::bounded;

/// What it is called in a bundle, and no configuration is larger.
pub(crate) const NAME: &str = "config.json";
pub(crate) const MOST: u64 = 16 << 20;

/// The configuration, and the digest of the file.
#[derive(Debug)]
pub struct Configuration {
    pub(super) bundle: PathBuf,
    pub(super) digest: Digest,
    pub(super) written: Written,
    /// The mounts that the engine and its hooks see. They are read once: what is held against what the container has is what was judged.
    pub(super) host: Vec<MountPoint>,
    /// Where its root and what it binds lead to, by how each is written. They are followed once, and all looks are at what they led to then: a link may
    /// be turned again and again.
    resolved: BTreeMap<PathBuf, PathBuf>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is bound from the host may have more mounted in it.
    #[error("cannot read what is mounted")]
    Mounts(#[source] io::Error),
    /// What is judged is not what the engine's runtime has read, or will.
    #[error("somebody else could exchange the container's configuration")]
    Unsafe(#[from] Unsafe),
    /// It is none.
    #[error("{} is no container's configuration", path.display())]
    Form {
        /// Which one.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
}

impl ConfigurationError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            ConfigurationError::Read { path, .. } if path.parent() == Some(Path::new("/")) => Some(
                "crun 1.8.1 tells its hooks that the bundle is / where a container in a user namespace is given devices: leave them out, or have runc start it"
                    .into(),
            ),
            ConfigurationError::Read { .. } | ConfigurationError::Mounts(_) => None,
            ConfigurationError::Unsafe(_) => Some(
                "let the bundle, its config.json and the directories above belong to root or to whoever starts the container, and nobody else write them (chmod go-w)"
                    .into(),
            ),
            ConfigurationError::Form { .. } => Some(
                "write it as the OCI runtime specification does: each member once, in its own case, and no NUL".into(),
            ),
        }
    }
}

/// As in the OCI runtime specification; what is not named here does not concern an airlock.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Written {
    pub(super) process: Process,
    pub(super) root: RootDirectory,
    pub(super) mounts: Option<Vec<Mounted>>,
    pub(super) hooks: Option<BTreeMap<String, Option<Vec<Hook>>>>,
    pub(super) annotations: Option<BTreeMap<String, String>>,
    pub(super) linux: Linux,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Process {
    pub(super) terminal: bool,
    pub(super) args: Option<Vec<String>>,
    pub(super) env: Option<Vec<String>>,
    pub(super) cwd: PathBuf,
    pub(super) user: User,
    pub(super) capabilities: Option<BTreeMap<String, Option<Vec<String>>>>,
    pub(super) no_new_privileges: bool,
    pub(super) apparmor_profile: Option<String>,
    pub(super) selinux_label: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RootDirectory {
    pub(super) path: PathBuf,
    pub(super) readonly: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Mounted {
    #[serde(default)]
    pub(super) destination: PathBuf,
    #[serde(default)]
    pub(super) source: Option<PathBuf>,
    #[serde(default)]
    pub(super) options: Option<Vec<String>>,
    #[serde(default, rename = "type")]
    pub(super) kind: Option<String>,
    /// Of the mount, not of the container: who its owners are there.
    #[serde(default, rename = "uidMappings")]
    pub(super) uid_mappings: Option<Value>,
    #[serde(default, rename = "gidMappings")]
    pub(super) gid_mappings: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Hook {
    pub(super) path: PathBuf,
    #[serde(default)]
    pub(super) args: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Linux {
    pub(super) namespaces: Option<Vec<Namespace>>,
    pub(super) devices: Option<Vec<Device>>,
    pub(super) resources: Resources,
    pub(super) seccomp: Value,
    pub(super) masked_paths: Option<Vec<String>>,
    pub(super) readonly_paths: Option<Vec<String>>,
    pub(super) uid_mappings: Option<Vec<Mapping>>,
    pub(super) gid_mappings: Option<Vec<Mapping>>,
    pub(super) sysctl: Option<BTreeMap<String, String>>,
    pub(super) cgroups_path: Option<String>,
    pub(super) rootfs_propagation: Option<String>,
    pub(super) net_devices: Option<BTreeMap<String, IgnoredAny>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Mapping {
    #[serde(rename = "hostID")]
    pub(super) host: u32,
    pub(super) size: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Resources {
    pub(super) devices: Option<Vec<Rule>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Namespace {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) path: Option<PathBuf>,
}

impl Namespace {
    /// The path of the one that is joined, where it is none of its own.
    pub(super) fn joined(&self) -> Option<&Path> {
        self.path.as_deref().filter(|path| !path.as_os_str().is_empty())
    }
}

impl Configuration {
    /// Reads it from a bundle, which nobody but root and the caller may be able to exchange: the runtime reads it by itself.
    ///
    /// # Errors
    /// [`ConfigurationError`]
    pub fn read(bundle: &Path) -> Result<Configuration, ConfigurationError> {
        let path = bundle.join(NAME);
        let failed = |source| ConfigurationError::Read { path: path.clone(), source };
        let (directory, file) = (File::open(bundle).map_err(failed)?, File::open(&path).map_err(failed)?);
        guarded_own(&directory, bundle)?;
        guarded_own(&file, &path)?;
        let bytes = bounded::read_from(&file, MOST).map_err(failed)?;
        Configuration::parse(bundle, &bytes)
    }

    /// The same of bytes.
    ///
    /// # Errors
    /// [`ConfigurationError::Form`], [`ConfigurationError::Mounts`]
    pub fn parse(bundle: &Path, bytes: &[u8]) -> Result<Configuration, ConfigurationError> {
        let form = |source| ConfigurationError::Form { path: bundle.join(NAME), source };
        strict::check(bytes).map_err(form)?;
        let written = object::read(bytes).map_err(form)?;
        let host = mountinfo::read().map_err(ConfigurationError::Mounts)?;
        let mut configuration = Configuration {
            bundle: bundle.to_owned(),
            digest: sha256(bytes),
            written,
            host,
            resolved: BTreeMap::new(),
        };
        let sources = mounts::all(&configuration).map(|source| source.path);
        configuration.resolved =
            sources.filter_map(|path| Some((path.clone(), bundle.join(&path).canonicalize().ok()?))).collect();
        Ok(configuration)
    }

    /// Annotations as they are written.
    pub(super) fn annotations(&self) -> Option<&BTreeMap<String, String>> {
        self.written.annotations.as_ref()
    }

    /// What is said of a kind of namespace, if anything is.
    pub(super) fn namespace(&self, kind: &str) -> Option<&Namespace> {
        self.written.linux.namespaces.iter().flatten().find(|it| it.kind == kind)
    }

    /// Whether one of its namespaces is one that somebody has made before.
    pub fn joins(&self) -> bool {
        self.written.linux.namespaces.iter().flatten().any(|namespace| namespace.joined().is_some())
    }

    /// Where the container's root lies for the engine's runtime.
    pub(super) fn root(&self) -> PathBuf {
        self.bundle.join(&self.written.root.path)
    }

    /// Where a source that is written so, or the root, led to when this was read. Nothing where nothing was there.
    pub(super) fn leads_to(&self, written: &Path) -> Option<&Path> {
        self.resolved.get(written).map(PathBuf::as_path)
    }

    /// Where the container's root is, likewise.
    pub(super) fn resolved_root(&self) -> Option<&Path> {
        self.leads_to(&self.written.root.path)
    }

    /// The variables of what will be executed.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.written.process.env.iter().flatten().filter_map(|line| line.split_once('='))
    }

    /// One of them: of two by one name the later counts for runtimes.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables().filter(|(known, _)| *known == name).last().map(|(_, value)| value)
    }

    /// Files and directories of the host's that are shown inside, with what is mounted in them and comes along: where they lie, and whether they can be written
    /// there. What this process itself may not look at is none that bottle rests upon, and what is covered by another mount is not brought.
    pub(super) fn shown(&self) -> Vec<(PathBuf, bool)> {
        self.with_below(mounts::all(self))
    }

    /// The same of some.
    pub(super) fn with_below(&self, sources: impl Iterator<Item = Source>) -> Vec<(PathBuf, bool)> {
        let mut shown = Vec::new();
        for source in sources {
            let Some(path) = self.leads_to(&source.path) else {
                // Others say that it is not there.
                shown.push((self.bundle.join(source.path), source.writable));
                continue;
            };
            shown.push((path.to_owned(), source.writable));
            let brought = mounts::brought(source.below, path, &self.host);
            let brought = brought.map(|(mount, writable)| (mount.target.clone(), writable));
            let is_none =
                |error: &io::Error| matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound);
            shown.extend(brought.filter(|(path, _)| !path.metadata().as_ref().is_err_and(is_none)));
        }
        shown
    }

    /// The digest of what the seccomp filter is to be made of.
    pub(super) fn seccomp(&self) -> Result<Digest, canonical::NoCanonicalForm> {
        Ok(sha256(&canonical::to_bytes(&self.written.linux.seccomp)?))
    }

    /// How the engine will confine it.
    pub(super) fn confinement(&self) -> Value {
        let Written { process, root, linux, .. } = &self.written;
        json!({
            "user": format!("{}:{}", process.user.uid, process.user.gid),
            "capabilities": process.capabilities,
            "no-new-privileges": process.no_new_privileges,
            "seccomp": seccomp::denies(&linux.seccomp),
            "apparmor": process.apparmor_profile,
            "selinux": process.selinux_label,
            "read-only-root": root.readonly,
            "masked-paths": linux.masked_paths,
            "read-only-paths": linux.readonly_paths,
        })
    }
}
