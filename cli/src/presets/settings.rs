//! What do the files and variables say that a client's settings are in? Each file that counts is remembered: whoever can write it
//! decides what may be reached.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bottle_runtime::caller::Caller;

use super::error::{PresetError, What};
use super::found::{Found, Reach};
use super::url::Place;

/// The most that is read of one file.
const LONGEST: u64 = 1 << 20;

/// Where settings are looked for, and what was found so far.
#[derive(Debug)]
pub struct Settings {
    root: PathBuf,
    /// The caller's home.
    pub home: PathBuf,
    /// The working directory.
    pub cwd: PathBuf,
    /// The caller's environment.
    pub variables: BTreeMap<String, String>,
    /// What was found so far.
    pub found: Found,
}

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In a file, at a line if that is known.
    File(PathBuf, Option<usize>),
    /// In this variable.
    Variable(String),
}

/// A value and where it was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    pub text: String,
    pub origin: Origin,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File(path, Some(line)) => write!(f, "{}:{line}", path.display()),
            Origin::File(path, None) => write!(f, "{}", path.display()),
            Origin::Variable(name) => write!(f, "the variable {name}"),
        }
    }
}

impl Settings {
    /// The caller's.
    pub fn of(caller: &Caller) -> Settings {
        let (home, cwd, variables) = (caller.home.clone(), caller.cwd.clone(), caller.variables.clone());
        Settings { root: "/".into(), home, cwd, variables, found: Found::default() }
    }

    /// What a variable says, unless that is nothing.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A file of the system's.
    pub fn system(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A path as a setting has it: `~` is home, and what is relative begins at the working directory.
    pub fn path(&self, text: &str) -> PathBuf {
        match text.strip_prefix("~/") {
            Some(below) => self.home.join(below),
            None => self.cwd.join(text),
        }
    }

    /// The text of a file that counts; None where there is none. Either way it decides, and must be out of the workload's reach.
    pub fn read(&mut self, path: &Path) -> Result<Option<String>, PresetError> {
        self.counts(path);
        text(path).map_err(|error| What::Read(error).at(Origin::File(path.to_owned(), None)))
    }

    /// The files of a directory in the order of their names; None of them where there is no directory.
    pub fn list(&mut self, directory: &Path) -> Result<Vec<PathBuf>, PresetError> {
        self.counts(directory);
        let paths = match fs::read_dir(directory) {
            Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        let mut paths: Vec<PathBuf> =
            paths.map_err(|error| What::Read(error).at(Origin::File(directory.to_owned(), None)))?;
        paths.sort();
        Ok(paths)
    }

    /// Remembers that whoever can write this file decides.
    pub fn counts(&mut self, path: &Path) {
        if !self.found.deciding.iter().any(|known| known == path) {
            self.found.deciding.push(path.to_owned());
        }
    }

    /// Allows what a URL leads to. `public` are hosts that the client has of its own.
    pub fn reach(&mut self, what: &str, url: &Value, public: &[&str]) -> Result<(), PresetError> {
        let place = Place::of(&url.text).map_err(|error| What::Url(error).at(url.origin.clone()))?;
        self.found.made_of.push(url.origin.clone());
        let private = !public.contains(&place.host.to_string().as_str());
        self.found.reaches.push(Reach { place, private, reason: format!("{what}, {}", url.origin) });
        Ok(())
    }

    /// Allows a host that the client has of its own, over TLS.
    pub fn reach_default(&mut self, what: &str, name: &'static str) {
        let place = Place::of(&format!("https://{name}")).expect("a name that is written in this program");
        self.found.reaches.push(Reach { place, private: false, reason: what.to_owned() });
    }

    /// Says that a proxy is configured, which is not allowed: whoever reaches it reaches all that it reaches.
    pub fn proxy(&mut self, proxy: &Value) {
        let host = Place::of(&proxy.text).map(|place| format!(" {}", place.host)).unwrap_or_default();
        self.found.notes.push(format!(
            "the proxy{host} of {} is not allowed, since whoever reaches a proxy reaches all that it reaches; \
             the client has to go without it inside",
            proxy.origin
        ));
    }

    /// Says of files that settings of a project are not read, where they have one of these words.
    pub fn not_read(&mut self, files: impl IntoIterator<Item = PathBuf>, words: &[&str]) {
        for path in files {
            let told = text(&path).ok().flatten().is_some_and(|text| words.iter().any(|word| text.contains(word)));
            if told {
                self.found.notes.push(format!(
                    "{} is not read, since a command in a bottle may have written it; \
                     --allow NAME allows a registry that only it names",
                    path.display()
                ));
            }
        }
    }

    /// The working directory and those above it, without home.
    pub fn projects(&self) -> Vec<PathBuf> {
        self.cwd.ancestors().filter(|directory| *directory != self.home).map(Path::to_owned).collect()
    }

    /// A program on PATH: as it was found, and what it is once links are followed.
    pub fn program(&self, name: &str) -> Option<(PathBuf, PathBuf)> {
        let path = self.variable("PATH")?;
        let found = path.split(':').map(|directory| self.cwd.join(directory).join(name)).find(|path| path.is_file())?;
        let meant = found.canonicalize().ok()?;
        Some((found, meant))
    }
}

/// A file's text, `None` where there is none; `/dev/null` is an empty file.
fn text(path: &Path) -> io::Result<Option<String>> {
    if path == Path::new("/dev/null") {
        return Ok(None);
    }
    // A FIFO would keep its reader waiting.
    let file = match OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        file => file?,
    };
    let there = file.metadata()?;
    if !there.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    if there.len() > LONGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text)?;
    Ok(Some(text))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A machine of a test's own.
    pub struct Machine(tempfile::TempDir);

    impl Machine {
        pub fn new() -> Machine {
            let machine = Machine(tempfile::tempdir().unwrap());
            fs::create_dir_all(machine.path("home/project")).unwrap();
            machine
        }

        pub fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        pub fn write(&self, name: &str, text: &str) -> &Machine {
            let path = self.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            self
        }

        pub fn settings(&self, variables: &[(&str, &str)]) -> Settings {
            let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            Settings {
                root: self.0.path().to_owned(),
                home: self.path("home"),
                cwd: self.path("home/project"),
                variables: variables.collect(),
                found: Found::default(),
            }
        }

        /// What a client's settings allow, as `protocol://name:port`, and `!` where private addresses will do.
        pub fn reaches(&self, find: Find, variables: &[(&str, &str)]) -> Result<Vec<String>, PresetError> {
            let mut settings = self.settings(variables);
            find(&mut settings)?;
            Ok(settings.found.reaches.iter().map(shown).collect())
        }

        /// Why a client's settings are not understood: the whole chain, and the hint.
        pub fn error(&self, find: Find, variables: &[(&str, &str)]) -> String {
            let error = self.reaches(find, variables).expect_err("an error");
            format!("{error}: {}: {}", std::error::Error::source(&error).unwrap(), error.hint())
        }

        pub fn notes(&self, find: Find, variables: &[(&str, &str)]) -> Vec<String> {
            let mut settings = self.settings(variables);
            find(&mut settings).unwrap();
            settings.found.notes
        }
    }

    pub type Find = fn(&mut Settings) -> Result<(), PresetError>;

    fn shown(reach: &Reach) -> String {
        let Reach { place, private, .. } = reach;
        format!("{}://{}:{}{}", place.protocol, place.host, place.port, if *private { "!" } else { "" })
    }

    #[test]
    fn what_is_no_file_is_an_error_and_dev_null_is_empty() {
        let machine = Machine::new();
        let mut settings = machine.settings(&[]);
        assert_eq!(settings.read(&machine.path("missing")).unwrap(), None);
        assert_eq!(settings.read(Path::new("/dev/null")).unwrap(), None);
        assert!(settings.read(Path::new("/dev/zero")).is_err());
        assert!(settings.read(&machine.path("home")).is_err());
        let fifo = machine.path("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(settings.read(&fifo).is_err());
        machine.write("binary", "").write("long", &" ".repeat(1 + LONGEST as usize));
        fs::write(machine.path("binary"), [0xff, 0xfe]).unwrap();
        assert!(settings.read(&machine.path("binary")).is_err() && settings.read(&machine.path("long")).is_err());
        assert!(settings.found.deciding.contains(&machine.path("missing")), "it may be made later");
    }
}
