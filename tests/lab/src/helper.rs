//! What does the re-executed program do? A threaded process can't make user namespaces, so a program of its own does it.

use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::error::LabError;
use crate::world::enter::{Entry, enter};
use crate::world::sealed::{Seal, seal};

const USAGE: &str = "usage: bottle-lab world                      (the lab's own process; speaks on standard input)
       bottle-lab enter --pid PID [--user USER] [--able] -- PROGRAM [ARGUMENT...]
       bottle-lab sealed [--user USER] [--reach DIRECTORY]... -- PROGRAM [ARGUMENT...]
       bottle-lab executables                (cargo's JSON messages in, the test programs among them out)";

/// The program that plays the lab's roles, and the arguments with which it begins to.
#[derive(Debug, Clone)]
pub struct Helper {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Helper {
    /// A program that passes what follows these arguments to [`run`].
    pub fn new(program: impl Into<PathBuf>, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self { program: program.into(), arguments: arguments.into_iter().map(Into::into).collect() }
    }

    /// The `bottle-lab` beside the current executable, or beside its folder `deps`, where tests lie.
    ///
    /// # Errors
    /// [`LabError::NoHelper`] where there is none.
    pub fn beside_current() -> Result<Self, LabError> {
        let current = std::env::current_exe().unwrap_or_default();
        let folders = current.ancestors().skip(1).take(2);
        let program = folders.map(|folder| folder.join("bottle-lab")).find(|program| program.is_file());
        let program = program.ok_or_else(|| LabError::NoHelper { beside: current.display().to_string() })?;
        Ok(Self { program, arguments: Vec::new() })
    }

    /// A command for one of the roles.
    pub(crate) fn command(&self, role: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).arg(role);
        command
    }

    pub(crate) fn program(&self) -> String {
        self.program.display().to_string()
    }
}

/// Plays the role that the arguments name: `world`, `enter`, `sealed` or `executables`. The process must have one thread.
///
/// `enter` and `sealed` become the program; 126 says that they could not.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match parse(arguments) {
        Some(Role::World) => world(),
        Some(Role::Enter(entry)) => report("enter", &enter(entry), 126),
        Some(Role::Sealed(sealed)) => report("sealed", &seal(sealed), 126),
        Some(Role::Executables) => executables(),
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

enum Role {
    World,
    Enter(Entry),
    Sealed(Seal),
    Executables,
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Option<Role> {
    let mut arguments = arguments.into_iter();
    let role = arguments.next()?;
    let (mut world, mut user, mut reach, mut able) = (None, None, Vec::new(), false);
    while let Some(argument) = arguments.next() {
        match argument.to_str()? {
            "--pid" => world = Some(arguments.next()?.to_str()?.parse().ok()?),
            "--user" => user = Some(arguments.next()?.into_string().ok()?),
            "--reach" => reach.push(PathBuf::from(arguments.next()?)),
            "--able" => able = true,
            "--" => break,
            _ => return None,
        }
    }
    let command: Vec<OsString> = arguments.collect();
    match (role.to_str()?, command.is_empty()) {
        ("world", true) => Some(Role::World),
        ("executables", true) => Some(Role::Executables),
        ("enter", false) => Some(Role::Enter(Entry { world: world?, user, able, command })),
        ("sealed", false) => Some(Role::Sealed(Seal { user, reach, command })),
        _ => None,
    }
}

fn world() -> ExitCode {
    let channel = std::io::stdin().as_fd().try_clone_to_owned();
    match channel.map(UnixStream::from).and_then(crate::world::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report("world", &error, 1),
    }
}

fn executables() -> ExitCode {
    match crate::executables::list(std::io::stdin().lock(), std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report("executables", &error, 1),
    }
}

fn report(role: impl AsRef<OsStr>, error: &std::io::Error, code: u8) -> ExitCode {
    eprintln!("bottle-lab {}: {error}", role.as_ref().display());
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Option<Role> {
        parse(line.split(' ').map(OsString::from))
    }

    #[test]
    fn what_follows_the_dashes_belongs_to_the_program() {
        let Some(Role::Enter(entry)) = parsed("enter --pid 7 --user 1000 -- ls --able") else { panic!("no entry") };
        assert_eq!((entry.world, entry.user.as_deref(), entry.able), (7, Some("1000"), false));
        assert_eq!(entry.command, ["ls", "--able"]);
    }

    #[test]
    fn a_role_without_what_it_needs_is_refused() {
        for line in ["enter -- ls", "enter --pid 7", "sealed", "world -- ls", "else", "sealed --what -- ls"] {
            assert!(parsed(line).is_none(), "{line}");
        }
    }
}
