//! What should a lab be like? Its names, its files, and which program makes its namespaces.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Zone};
use crate::helper::Helper;

/// How a lab is to be made. The default has the names of [`Zone::default`] and a capture on every link.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub(crate) helper: Option<Helper>,
    pub(crate) plan: Plan,
}

/// The part of the options that the world needs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) zone: Zone,
    pub(crate) directories: BTreeMap<String, PathBuf>,
    pub(crate) programs: BTreeMap<String, PathBuf>,
    pub(crate) capture: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self { zone: Zone::default(), directories: BTreeMap::new(), programs: BTreeMap::new(), capture: true }
    }
}

impl Options {
    /// Adds a name, or changes what is said about it.
    #[must_use]
    pub fn name(mut self, name: &str, answer: Answer) -> Self {
        self.plan.zone.set(name, answer);
        self
    }

    /// Serves the files below a directory to `GET` requests whose Host is this name, over HTTP and HTTPS.
    #[must_use]
    pub fn files(mut self, host: &str, directory: impl Into<PathBuf>) -> Self {
        self.plan.directories.insert(host.to_ascii_lowercase(), directory.into());
        self
    }

    /// Has a program answer the requests whose Host is this name, over HTTP and HTTPS. Its argument is path and query, its input
    /// the body; it writes the type of its answer on a line, then the answer.
    #[must_use]
    pub fn program(mut self, host: &str, program: impl Into<PathBuf>) -> Self {
        self.plan.programs.insert(host.to_ascii_lowercase(), program.into());
        self
    }

    /// Captures no packets: for measurements, where the capture would be measured too.
    #[must_use]
    pub fn without_capture(mut self) -> Self {
        self.plan.capture = false;
        self
    }

    /// Uses this program for the lab's own processes instead of the `bottle-lab` beside the current executable.
    #[must_use]
    pub fn helper(mut self, helper: Helper) -> Self {
        self.helper = Some(helper);
        self
    }
}
