//! What is asked for when a container is adopted, and what of it does the plan keep?

use std::path::PathBuf;
use std::sync::Arc;

use bottle_evidence::Digest;
use bottle_policy::Rules;
use serde_json::Value;

use super::{Container, HashedFile, InsideFile};
use crate::hook::Exception;
use crate::options::Words;
use crate::records::Name;

/// A container to adopt, and what its engine has said of it.
pub struct Adoption {
    /// Its first process, which the engine holds.
    pub container: Arc<Container>,
    /// Who the caller is in the container's user namespace, as uid and gid. Of no matter where root calls.
    pub caller: (u32, u32),
    /// What the engine calls it.
    pub id: String,
    /// What may be reached.
    pub rules: Rules,
    /// The files that the rules came from.
    pub policy_files: Vec<PathBuf>,
    /// What the bottle is called; by default the beginning of its id.
    pub name: Option<Name>,
    /// What will be executed.
    pub command: Vec<String>,
    /// The file of that.
    pub program: InsideFile,
    /// Its user inside, as uid and gid.
    pub user: (u32, u32),
    /// Its working directory inside.
    pub workdir: PathBuf,
    /// Its variables: what they say is written and told nowhere.
    pub environment: Vec<(String, String)>,
    /// The digest of the configuration that the engine handed to its runtime.
    pub configuration: Digest,
    /// Host directories and files that are shown inside, and of these the ones that can be written there.
    pub shown: Vec<PathBuf>,
    /// See `shown`.
    pub writable: Vec<PathBuf>,
    /// The digest of what the engine will have its seccomp filter made of.
    pub seccomp: Digest,
    /// How the engine will confine it, in the configuration's own words.
    pub confinement: Value,
    /// What was let pass that is refused by default.
    pub let_pass: Vec<Exception>,
    /// Whether a filter that denies AF_VSOCK is demanded of it and of whoever joins it.
    pub filtered: bool,
    /// In which words the bottle's log tells of what happens.
    pub words: Words,
}

/// What a plan knows of the container that is its workload.
pub(crate) struct Adopted {
    pub(crate) container: Arc<Container>,
    pub(crate) program: HashedFile,
    /// Who the caller is in the container's user namespace, as uid and gid.
    pub(crate) caller: (u32, u32),
    /// Whether whoever is in its network must have a seccomp filter.
    pub(crate) filtered: bool,
    pub(crate) says: EngineWord,
}

/// What nobody has measured.
pub(crate) struct EngineWord {
    pub(crate) id: String,
    pub(crate) seccomp: Digest,
    pub(crate) confinement: Value,
    pub(crate) let_pass: Vec<Exception>,
    /// The ordinary user whose engine runs it as root of a user namespace that it has made, where it is so.
    pub(crate) within: Option<u32>,
}
