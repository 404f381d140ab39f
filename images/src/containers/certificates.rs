//! Which certificates may sign for this registry, besides those of the system? As in containers-certs.d(5).

use std::path::PathBuf;

use super::Places;

/// The PEM files of `certs.d/HOST/*.crt`, as podman and docker look for them.
pub(crate) fn roots(places: &Places, host: &str) -> Vec<Vec<u8>> {
    let directories: [PathBuf; 3] =
        [places.config().join("certs.d"), places.system().join("certs.d"), places.host.join("etc/docker/certs.d")];
    let listed = directories.iter().filter_map(|directory| std::fs::read_dir(directory.join(host)).ok());
    let files = listed.flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let certificates = files.filter(|path| path.extension().is_some_and(|extension| extension == "crt"));
    certificates.filter_map(|path| std::fs::read(path).ok()).collect()
}
