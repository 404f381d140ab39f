//! When is a file's name on the disk? When its directory is, which is synchronised apart from the file.

use std::fs::File;
use std::io;
use std::path::Path;

/// Returns when the names in the directory that holds `path` are on the disk.
pub(crate) fn sync_directory_of(path: &Path) -> io::Result<()> {
    File::open(directory_of(path))?.sync_all()
}

/// The directory that has this name.
pub(crate) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
