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
    /// Directories that this user must be able to reach, although their parents may be closed.
    pub(crate) reach: Vec<PathBuf>,
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
    open_ways(&seal.reach)?;
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

/// Makes directories reachable for everybody by putting empty, open directories in the place of their first closed parents.
/// Only this mount namespace sees that.
fn open_ways(directories: &[PathBuf]) -> io::Result<()> {
    let mut ways = Vec::new();
    for (number, directory) in directories.iter().enumerate() {
        let directory = fs::canonicalize(directory)?;
        if let Some(parent) = closed_parent(&directory)? {
            let aside = PathBuf::from(format!("/run/lab-way-{number}"));
            fs::create_dir(&aside)?;
            bind(&directory, &aside)?;
            ways.push((directory, parent, aside));
        }
    }
    for (directory, parent, aside) in &ways {
        if closed_parent(directory).is_ok_and(|still| still.is_some()) {
            let mode = Some("mode=755");
            mount(Some("lab"), parent, Some("tmpfs"), MsFlags::empty(), mode)?;
        }
        fs::create_dir_all(directory)?;
        bind(aside, directory)?;
    }
    Ok(())
}

/// The first directory on the way from the root that not everybody may pass.
fn closed_parent(directory: &Path) -> io::Result<Option<PathBuf>> {
    let mut parents: Vec<&Path> = directory.ancestors().skip(1).collect();
    parents.reverse();
    for parent in parents {
        if fs::metadata(parent)?.permissions().mode() & 0o001 == 0 {
            return Ok(Some(parent.to_owned()));
        }
    }
    Ok(None)
}

fn bind(source: &Path, target: &Path) -> io::Result<()> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    Ok(mount(Some(source), target, None::<&str>, flags, None::<&str>)?)
}
