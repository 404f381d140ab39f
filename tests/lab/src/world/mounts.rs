//! What of the file system differs on the lab's host? Its resolver files, its CA bundle and a fresh `/run`; seen only in its own mount namespace.

use std::io;
use std::path::{Path, PathBuf};
use std::{fs, os::unix::fs::PermissionsExt};

use nix::mount::{MsFlags, mount};

use crate::addresses::DNS;

/// Where the lab's own files lie, inside the lab only.
pub(crate) const DIRECTORY: &str = "/run/lab";
const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
const NSSWITCH: &str =
    "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nprotocols: files\nservices: files\n";
const HOSTS: &str = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";

/// A mount step that failed, by target.
#[derive(Debug, thiserror::Error)]
#[error("preparing {target} in the lab: {source}", target = target.display())]
pub(crate) struct MountError {
    target: PathBuf,
    source: io::Error,
}

fn at<T, E: Into<io::Error>>(target: &Path, result: Result<T, E>) -> Result<T, MountError> {
    result.map_err(|source| MountError { target: target.into(), source: source.into() })
}

/// Makes the current mount namespace the lab's host.
pub(crate) fn dress_host(ca_pem: &str) -> Result<(), MountError> {
    let resolver = Path::new("/etc/resolv.conf");
    let system_bundle = fs::read_to_string(BUNDLE).ok();
    fresh_run()?;
    let directory = Path::new(DIRECTORY);
    at(directory, fs::create_dir(directory))?;
    write("ca.pem", ca_pem)?;
    overlay("resolv.conf", &format!("nameserver {DNS}\noptions timeout:2 attempts:2\n"), Some(resolver))?;
    overlay("hosts", HOSTS, Some(Path::new("/etc/hosts")))?;
    overlay("nsswitch.conf", NSSWITCH, Some(Path::new("/etc/nsswitch.conf")).filter(|file| file.exists()))?;
    match system_bundle {
        Some(bundle) => overlay("ca-certificates.crt", &format!("{bundle}\n{ca_pem}"), Some(Path::new(BUNDLE))),
        None => Ok(()),
    }
}

/// Keeps mounts from spreading, and hides the sockets of caches and daemons that would answer from outside the lab.
///
/// A resolver file that lies below `/run` stays, but empty.
pub(crate) fn fresh_run() -> Result<(), MountError> {
    let resolver = fs::canonicalize("/etc/resolv.conf").ok().filter(|file| file.starts_with("/run"));
    let nothing = None::<&str>;
    let root = Path::new("/");
    at(root, mount(nothing, root, nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing))?;
    let run = Path::new("/run");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    at(run, mount(Some("lab"), run, Some("tmpfs"), flags, Some("mode=755")))?;
    if let Some((file, parent)) = resolver.as_deref().and_then(|file| Some((file, file.parent()?))) {
        at(parent, fs::create_dir_all(parent))?;
        at(file, fs::write(file, ""))?;
    }
    Ok(())
}

/// Writes a file of the lab and puts it in the place of one of the system's.
fn overlay(name: &str, text: &str, target: Option<&Path>) -> Result<(), MountError> {
    let source = write(name, text)?;
    let Some(target) = target else { return Ok(()) };
    at(target, mount(Some(&source), target, None::<&str>, MsFlags::MS_BIND, None::<&str>))
}

fn write(name: &str, text: &str) -> Result<PathBuf, MountError> {
    let file = Path::new(DIRECTORY).join(name);
    at(&file, fs::write(&file, text))?;
    at(&file, fs::set_permissions(&file, fs::Permissions::from_mode(0o644)))?;
    Ok(file)
}
