//! How does a whole test run come to have no way out? A network namespace with nothing but loopback, a fresh `/run`, and no inherited descriptors.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, os::unix::fs::PermissionsExt};

use nix::mount::{MsFlags, mount};

use super::user::Person;
use super::{links, mounts, namespaces};

/// What to run without a way out.
pub(crate) struct Seal {
    /// Whom to become, if started as root.
    pub(crate) user: Option<String>,
    /// A directory that this user must be able to reach, although its parents may be closed.
    pub(crate) reach: Option<PathBuf>,
    /// The program and its arguments.
    pub(crate) command: Vec<OsString>,
}

/// Becomes the program; comes back only with an error.
pub(crate) fn seal(seal: Seal) -> io::Error {
    match sealed(&seal) {
        Ok(mut command) => command.exec(),
        Err(error) => error,
    }
}

fn sealed(seal: &Seal) -> io::Result<Command> {
    crate::sys::keep_descriptors_private()?;
    let person = seal.user.as_deref().map(Person::find).transpose()?;
    let here = std::env::current_dir()?;
    namespaces::make_host().map_err(io::Error::other)?;
    mounts::fresh_run().map_err(io::Error::other)?;
    links::raise_loopback().map_err(io::Error::other)?;
    if let Some(directory) = &seal.reach {
        open_way(directory)?;
    }
    std::env::set_current_dir(here)?;
    let mut arguments = seal.command.iter();
    let program = arguments.next().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments);
    if let Some(person) = person {
        person.become_for_good()?;
        command.envs(person.variables());
    }
    Ok(command)
}

/// Makes a directory reachable for everybody by putting an empty, open directory in the place of its first closed parent.
/// Only this mount namespace sees that.
fn open_way(directory: &Path) -> io::Result<()> {
    let directory = fs::canonicalize(directory)?;
    let mut parents: Vec<&Path> = directory.ancestors().skip(1).collect();
    parents.reverse();
    let closed =
        |path: &Path| Ok::<_, io::Error>(fs::metadata(path)?.permissions().mode() & 0o001 == 0);
    for parent in parents {
        if closed(parent)? {
            return replace(parent, &directory);
        }
    }
    Ok(())
}

fn replace(parent: &Path, directory: &Path) -> io::Result<()> {
    let aside = Path::new("/run/lab-tree");
    fs::create_dir(aside)?;
    bind(directory, aside)?;
    mount(
        Some("lab"),
        parent,
        Some("tmpfs"),
        MsFlags::empty(),
        Some("mode=755"),
    )?;
    fs::create_dir_all(directory)?;
    bind(aside, directory)
}

fn bind(source: &Path, target: &Path) -> io::Result<()> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    Ok(mount(
        Some(source),
        target,
        None::<&str>,
        flags,
        None::<&str>,
    )?)
}
