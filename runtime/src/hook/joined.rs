//! Whose network does a container join? A bottle's that lives is behind that one's airlock already: a container there gets none of
//! its own, but nothing that would lead around it either.
//!
//! Engines join by a path, which no annotation chooses. What counts is which namespace the path means, by the kernel's word.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::configuration::{Configuration, Namespace};
use crate::records::{Known, LivingError, Name};

/// By which the engines of Kubernetes mark who joins a pod.
const POD_MEMBER: [(&str, &str); 2] =
    [("io.kubernetes.cri.container-type", "container"), ("io.kubernetes.cri-o.ContainerType", "container")];

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
    #[error("cannot look at the network namespace {path}")]
    Look {
        /// Where it is.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A bottle can't.
    #[error(transparent)]
    Living(#[from] LivingError),
}

impl Joined {
    /// By the path that the configuration has for the network, before the container is there.
    ///
    /// # Errors
    /// [`JoinedError`]
    pub fn by_path(configuration: &Configuration, bottles: &[Known]) -> Result<Option<Joined>, JoinedError> {
        match configuration.namespace("network").and_then(Namespace::joined) {
            Some(path) => find(path, bottles, None),
            None => Ok(None),
        }
    }

    /// By where a container is that the engine has created. It is not taken for its own company.
    ///
    /// # Errors
    /// [`JoinedError`]
    pub fn by_process(pid: u32, bottles: &[Known]) -> Result<Option<Joined>, JoinedError> {
        let path = format!("/proc/{pid}/ns/net");
        match find(Path::new(&path), bottles, Some(pid)) {
            // Whoever holds the process says that it is gone.
            Err(JoinedError::Look { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            found => found,
        }
    }

    /// Whether this path means the bottle's own namespace of this kind (`pid`, `ipc`, …).
    pub(super) fn shares(&self, kind: &str, path: &Path) -> bool {
        let own = format!("/proc/{}/ns/{kind}", self.workload);
        identity(Path::new(&own)).is_ok_and(|own| identity(path).is_ok_and(|other| own == other))
    }
}

/// Whether the engine says that the container joins a pod, which then has one network for all.
pub fn is_pod_member(configuration: &Configuration) -> bool {
    let says = |(name, value): &(&str, &str)| configuration.annotations()?.get(*name).map(|said| said == value);
    POD_MEMBER.iter().any(|mark| says(mark) == Some(true))
}

fn find(path: &Path, bottles: &[Known], not: Option<u32>) -> Result<Option<Joined>, JoinedError> {
    let look = |source| JoinedError::Look { path: path.display().to_string(), source };
    let (device, inode) = identity(path).map_err(look)?;
    let (namespaces, _) = identity(Path::new("/proc/self/ns/net")).map_err(look)?;
    if device != namespaces {
        return Ok(None);
    }
    for known in bottles {
        match known.living() {
            Ok(living) if living.network == inode && Some(living.workload.pid) != not => {
                return Ok(Some(Joined { name: known.record.name.clone(), workload: living.workload.pid }));
            }
            Ok(_) | Err(LivingError::NotRunning(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// Device and inode, which two names of one namespace share.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let file = std::fs::metadata(path)?;
    Ok((file.dev(), file.ino()))
}
