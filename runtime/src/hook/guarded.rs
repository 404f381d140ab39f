//! Could anybody but root and the caller put something else where a path leads?

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Somebody else than root, or than whoever calls, could write it.
#[derive(Debug, thiserror::Error)]
#[error("{} can be written by others than root", .0.display())]
pub struct Unsafe(PathBuf);

/// Demands of an open file or directory, and of each directory above its path, that only root or the caller can write it. In a
/// directory where anybody may write, but only the owner rename and remove, what root owns stays what it is.
pub(crate) fn guarded(file: &File, path: &Path) -> Result<(), Unsafe> {
    let not = || Unsafe(path.to_owned());
    let own = rustix::process::geteuid().as_raw();
    let whole = path.canonicalize().map_err(|_| not())?;
    let itself = file.metadata().map_err(|_| not())?;
    // Within a user namespace the host's root has another number, and so has each user who is nobody there.
    let root = std::fs::metadata("/").map_err(|_| not())?.uid();
    let trusted = |metadata: &std::fs::Metadata| [0, root, own].contains(&metadata.uid());
    let named = std::fs::metadata(&whole).map_err(|_| not())?;
    let same = (named.dev(), named.ino()) == (itself.dev(), itself.ino());
    if !same || !trusted(&itself) || itself.mode() & 0o022 != 0 {
        return Err(not());
    }
    for above in whole.ancestors().skip(1) {
        const STICKY: u32 = 0o1000;
        let metadata = std::fs::metadata(above).map_err(|_| not())?;
        if !trusted(&metadata) || (metadata.mode() & 0o022 != 0 && metadata.mode() & STICKY == 0) {
            return Err(Unsafe(above.to_owned()));
        }
    }
    Ok(())
}
