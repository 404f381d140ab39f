//! Where does a test keep its store, its configuration and its tools' files? In a directory that it removes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::SystemTime;

use bottle_images::{
    Event, Ids, LoadError, Loaded, Places, PruneError, Pruned, PullError, Registries, Source, Store, UnpackOptions,
    Unpacked, load, pull, unpack,
};

pub struct Place {
    directory: tempfile::TempDir,
    begun: SystemTime,
    pub store: Store,
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

pub fn silent(_: Event) {}

impl Place {
    pub fn new() -> Place {
        bottle_lab::require();
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(&directory.path().join("images")).expect("a store");
        Place { directory, begun: SystemTime::now(), store }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// When the test began, in seconds: what has a later time was made by it.
    pub fn begun(&self) -> u64 {
        self.begun.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    pub fn places(&self) -> Places {
        let home = self.path("home");
        Places { uid: rustix::process::geteuid().as_raw(), home, variables: BTreeMap::new(), host: self.path("host") }
    }

    /// Writes a file of the caller's containers configuration.
    pub fn configure(&self, name: &str, text: &str) {
        let file = self.path("home/.config/containers").join(name);
        std::fs::create_dir_all(file.parent().expect("a directory above")).expect("a directory");
        std::fs::write(file, text).expect("a file");
    }

    pub fn load(&self, source: &str) -> Result<Loaded, LoadError> {
        load(&self.store, &Source::parse(source).expect("a source"), self.directory.path(), &silent)
    }

    pub fn pull(&self, name: &str) -> Result<Loaded, PullError> {
        self.pull_and_tell(name, &silent)
    }

    pub fn pull_and_tell(&self, name: &str, listener: &(dyn Fn(Event) + Sync)) -> Result<Loaded, PullError> {
        let registries = Registries::load(&self.places())?;
        pull(&self.store, &name.parse().expect("a name"), &registries, &self.places(), listener)
    }

    pub fn unpack(&self, loaded: &Loaded) -> Unpacked {
        let options = UnpackOptions::for_uid(self.places().uid);
        unpack(&self.store, &loaded.image, options, &silent).unwrap_or_else(|error| panic!("{error:?}"))
    }

    pub fn prune(&self) -> Result<Pruned, PruneError> {
        self.store.prune(&Ids::Plain { uid: self.places().uid })
    }

    /// How many files a directory of the store holds.
    pub fn count(&self, directory: &str) -> usize {
        std::fs::read_dir(self.path("images").join(directory)).map_or(0, Iterator::count)
    }
}

/// Runs a tool, which must succeed.
pub fn tool(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}\nhint: tests/run --install"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    output
}
