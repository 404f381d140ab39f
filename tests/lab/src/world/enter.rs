//! How does a program come to run on the lab's host? It joins the world's namespaces and becomes the program.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::sys::signal::Signal;

use super::user::Person;

/// Where to go and what to become.
pub(crate) struct Entry {
    /// The world's process.
    pub(crate) world: u32,
    /// Whom to become; nobody else if not given.
    pub(crate) user: Option<String>,
    /// Whether an ordinary user keeps the capabilities that the lab's user namespace gives.
    pub(crate) able: bool,
    /// The program and its arguments.
    pub(crate) command: Vec<OsString>,
}

/// Becomes the program; comes back only with an error.
pub(crate) fn enter(entry: Entry) -> io::Error {
    match joined(&entry) {
        Ok(mut command) => command.exec(),
        Err(error) => error,
    }
}

fn joined(entry: &Entry) -> io::Result<Command> {
    let person = entry.user.as_deref().map(Person::find).transpose()?;
    let here = std::env::current_dir()?;
    join(entry.world)?;
    std::env::set_current_dir(&here)?;
    if entry.able {
        keep_capabilities()?;
    }
    let mut arguments = entry.command.iter();
    let program = arguments.next().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments);
    if let Some(person) = person {
        person.become_for_good()?;
        command.envs(person.variables());
    }
    // After the last change of credentials, which would clear it: the program must not outlive the test that runs it.
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    Ok(command)
}

/// Joins the user namespace first where there is one, since it gives the right to join the others.
fn join(world: u32) -> io::Result<()> {
    let open = |name: &str| File::open(format!("/proc/{world}/ns/{name}"));
    let (user, mounts, network) = (open("user")?, open("mnt")?, open("net")?);
    if !same(&user, &File::open("/proc/self/ns/user")?)? {
        setns(user, CloneFlags::CLONE_NEWUSER)?;
    }
    setns(network, CloneFlags::CLONE_NEWNET)?;
    setns(mounts, CloneFlags::CLONE_NEWNS)?;
    Ok(())
}

fn same(one: &File, other: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (one, other) = (one.metadata()?, other.metadata()?);
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
}

/// Makes all capabilities ambient, so that they survive becoming a program as a user other than root.
fn keep_capabilities() -> io::Result<()> {
    use caps::CapSet;
    let held = caps::read(None, CapSet::Permitted).map_err(io::Error::other)?;
    caps::set(None, CapSet::Inheritable, &held).map_err(io::Error::other)?;
    caps::set(None, CapSet::Ambient, &held).map_err(io::Error::other)
}
