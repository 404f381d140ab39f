//! What judges a workload, and what may become of it? The workload can change none of it, and not read the key; nobody else loses a
//! file by it.

use std::path::{Path, PathBuf};

use bottle_evidence::dsse::{Envelope, MAX_BYTES};
use bottle_images::contains::Trees;
use bottle_images::{Kind, MountPlan, Root};

use crate::bounded;
use crate::plan::PlanError;

/// Demands that none of these paths lies in what the workload can write: shared trees, and what is kept for later runs.
pub(crate) fn unchangeable<'a>(
    files: &MountPlan,
    kept: Option<PathBuf>,
    judged: impl Iterator<Item = (&'static str, &'a PathBuf)>,
) -> Result<(), PlanError> {
    let writable: Vec<PathBuf> = files.writable.iter().cloned().chain(kept).collect();
    let writable =
        Trees::of(&writable).map_err(|source| PlanError::Contains { what: "the mounts", path: "/".into(), source })?;
    for (what, path) in judged {
        outside(&writable, what, path)?;
    }
    Ok(())
}

fn outside(writable: &Trees<'_>, what: &'static str, path: &Path) -> Result<(), PlanError> {
    match writable.holding(path) {
        Ok(None) => Ok(()),
        Ok(Some(tree)) => Err(PlanError::Writable { what, path: path.to_owned(), tree: tree.clone() }),
        Err(source) => Err(PlanError::Contains { what, path: path.to_owned(), source }),
    }
}

/// A path that was mistyped must not cost a key, a policy, a log or a device: an attestation takes the place of nothing, an empty file or another
/// attestation.
///
/// # Errors
/// [`PlanError::NoAttestation`]
pub fn replaceable(attestation: &Path) -> Result<(), PlanError> {
    let there = std::fs::metadata(attestation);
    let is_one =
        || bounded::read(attestation, MAX_BYTES as u64).is_ok_and(|bytes| Envelope::from_bytes(&bytes).is_ok());
    match there {
        Ok(there) if !there.is_file() || (there.len() > 0 && !is_one()) => {
            Err(PlanError::NoAttestation(attestation.to_owned()))
        }
        _ => Ok(()),
    }
}

/// What is only shown inside must not hold the key either.
pub(crate) fn unreadable(files: &MountPlan, key: &Path) -> Result<(), PlanError> {
    let shown = files.mounts.iter().filter_map(|mount| match &mount.kind {
        Kind::Share { source, .. } | Kind::ReadOnly { source } | Kind::System { source } => Some(source.clone()),
        _ => None,
    });
    let layers = if let Root::Overlay { layers, .. } = &files.root { layers.clone() } else { Vec::new() };
    let shown: Vec<PathBuf> = shown.chain(layers).collect();
    let failed = |source| PlanError::Contains { what: "the key", path: key.to_owned(), source };
    match Trees::of(&shown).map_err(failed)?.holding(key) {
        Ok(None) => Ok(()),
        Ok(Some(tree)) => Err(PlanError::Readable { path: key.to_owned(), tree: tree.clone() }),
        Err(source) => Err(PlanError::Contains { what: "the key", path: key.to_owned(), source }),
    }
}
