//! Whose network does a container join? A bottle's that lives is behind that one's airlock already: a container there gets none of
//! its own, but nothing that would lead around it either.
//!
//! Engines join by a path, which no annotation chooses. What counts is which namespace the path means, by the kernel's word. Who
//! shares a bottle's processes, memory or mounts, and not its network, would be a way around its airlock.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bottle_evidence::verify::Living;

use super::configuration::{Configuration, Namespace};
use crate::records::{Known, LivingError, Name};

/// By which the engines of Kubernetes mark who joins a pod.
const POD_MEMBER: [(&str, &str); 2] =
    [("io.kubernetes.cri.container-type", "container"), ("io.kubernetes.cri-o.ContainerType", "container")];

/// What leads to a bottle's processes, or lends them a hand that reaches more.
const NEAR: [&str; 4] = ["pid", "ipc", "mount", "user"];

/// The bottle that a container joins.
#[derive(Clone, Debug)]
pub struct Joined {
    /// What it is called.
    pub name: Name,
    /// Its first process.
    workload: u32,
}

/// Why it can't be told.
#[derive(Debug, thiserror::Error)]
pub enum JoinedError {
    /// A namespace can't be looked at.
    #[error("cannot look at the namespace {path}")]
    Look {
        /// Where it is.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A bottle can't.
    #[error(transparent)]
    Living(#[from] LivingError),
    /// It would be near a bottle, and on another network.
    #[error("the container is in the {0} namespace of the bottle {1}, and not in its network")]
    Near(&'static str, Name),
    /// What its configuration names is no longer where it is.
    #[error("the container joins the network of the bottle {1}, and is in the {0} namespace of somebody else")]
    Elsewhere(&'static str, Name),
}

impl JoinedError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            JoinedError::Near(..) => Some("have it join the bottle's network too, or none of its namespaces".into()),
            JoinedError::Elsewhere(..) => Some("create it again".into()),
            JoinedError::Look { .. } | JoinedError::Living(_) => None,
        }
    }
}

impl Joined {
    /// By the path that the configuration has for the network, before the container is there.
    ///
    /// # Errors
    /// [`JoinedError`]
    pub fn by_path(configuration: &Configuration, bottles: &[Known]) -> Result<Option<Joined>, JoinedError> {
        let joined = match configuration.namespace("network").and_then(Namespace::joined) {
            Some(path) => find(path, bottles, None)?,
            None => None,
        };
        let near =
            NEAR.into_iter().filter_map(|kind| Some((kind, configuration.namespace(kind)?.joined()?.to_owned())));
        apart(joined.as_ref(), near, bottles, None)?;
        Ok(joined)
    }

    /// By where a container is that the engine has created. It is not taken for its own company. What its configuration does not join is
    /// its own, or the engine's.
    ///
    /// # Errors
    /// [`JoinedError`]
    pub fn by_process(
        pid: u32,
        configuration: &Configuration,
        bottles: &[Known],
    ) -> Result<Option<Joined>, JoinedError> {
        let own = |kind: &str| PathBuf::from(format!("/proc/{pid}/ns/{}", short(kind)));
        let joins = |kind: &str| configuration.namespace(kind).is_some_and(|namespace| namespace.joined().is_some());
        let look = || {
            let joined = if joins("network") { find(&own("network"), bottles, Some(pid))? } else { None };
            let near = || NEAR.into_iter().filter(|kind| joins(kind)).map(|kind| (kind, own(kind)));
            apart(joined.as_ref(), near(), bottles, Some(pid))?;
            if let Some(joined) = &joined {
                let strange = near().find(|(kind, path)| !joined.shares(kind, path));
                strange.map_or(Ok(()), |(kind, _)| Err(JoinedError::Elsewhere(kind, joined.name.clone())))?;
            }
            Ok(joined)
        };
        match look() {
            // Whoever holds the process says that it is gone.
            Err(JoinedError::Look { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            found => found,
        }
    }

    /// Whether this path means the bottle's own namespace of this kind (`pid`, `ipc`, …).
    pub(super) fn shares(&self, kind: &str, path: &Path) -> bool {
        let own = format!("/proc/{}/ns/{}", self.workload, short(kind));
        identity(Path::new(&own)).is_ok_and(|own| identity(path).is_ok_and(|other| own == other))
    }
}

/// Whether the engine says that the container joins a pod, which then has one network for all.
pub fn is_pod_member(configuration: &Configuration) -> bool {
    let says = |(name, value): &(&str, &str)| configuration.annotations()?.get(*name).map(|said| said == value);
    POD_MEMBER.iter().any(|mark| says(mark) == Some(true))
}

/// Demands of one that shares these namespaces that they are of no bottle but of the one that it joins.
fn apart(
    joined: Option<&Joined>,
    near: impl Iterator<Item = (&'static str, PathBuf)>,
    bottles: &[Known],
    not: Option<u32>,
) -> Result<(), JoinedError> {
    for (kind, path) in near {
        let there = look(&path)?;
        for (name, living) in living(bottles, not)? {
            let its = look(Path::new(&format!("/proc/{}/ns/{}", living.workload.pid, short(kind))));
            let is_joined = joined.is_some_and(|joined| joined.workload == living.workload.pid);
            if !is_joined && its? == there {
                return Err(JoinedError::Near(kind, name));
            }
        }
    }
    Ok(())
}

fn find(path: &Path, bottles: &[Known], not: Option<u32>) -> Result<Option<Joined>, JoinedError> {
    let (device, inode) = look(path)?;
    let (namespaces, _) = look(Path::new("/proc/self/ns/net"))?;
    if device != namespaces {
        return Ok(None);
    }
    let mut all = living(bottles, not)?.into_iter();
    let joined = all.find(|(_, living)| living.network == inode);
    Ok(joined.map(|(name, living)| Joined { name, workload: living.workload.pid }))
}

/// The bottles that live, but for one whose first process this is.
fn living(bottles: &[Known], not: Option<u32>) -> Result<Vec<(Name, Living)>, JoinedError> {
    let mut all = Vec::new();
    for known in bottles {
        match known.living() {
            Ok(living) if Some(living.workload.pid) != not => all.push((known.record.name.clone(), living)),
            Ok(_) | Err(LivingError::NotRunning(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(all)
}

/// As /proc calls a kind of namespace.
fn short(kind: &str) -> &str {
    match kind {
        "network" => "net",
        "mount" => "mnt",
        other => other,
    }
}

fn look(path: &Path) -> Result<(u64, u64), JoinedError> {
    identity(path).map_err(|source| JoinedError::Look { path: path.display().to_string(), source })
}

/// Device and inode, which two names of one namespace share.
pub(super) fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let file = std::fs::metadata(path)?;
    Ok((file.dev(), file.ino()))
}
