//! What exactly will be done? Everything is decided here, and nothing is done yet that outlives a failure.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bottle_evidence::key::SigningKey;
use bottle_evidence::{Digest, canonical};
use bottle_images::contains::{ContainsError, Trees, meant};
use bottle_images::{Context, ImageRef, Kind, MountPlan, ResolveError, Root};
use bottle_policy::Rules;

use crate::caller::Caller;
use crate::confine;
use crate::ids::{IdsError, PrivateIds};
use crate::keys::{self, KeyFileError};
use crate::options::{ProxyEnv, RunOptions, Stdio};
use crate::state::{State, StateError, make_private, new_run_id};

/// Stage one: all decided, nothing done.
pub struct Plan {
    pub(crate) run: String,
    pub(crate) files: MountPlan,
    pub(crate) argv: Vec<String>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) image: Digest,
    pub(crate) ids: Option<PrivateIds>,
    pub(crate) key: Arc<SigningKey>,
    pub(crate) lease_key: [u8; 32],
    pub(crate) audit: PathBuf,
    pub(crate) attestation: PathBuf,
    pub(crate) nonce: Option<Digest>,
    pub(crate) stdio: Stdio,
    pub(crate) timeout: Option<Duration>,
    pub(crate) descriptors: Option<u64>,
    /// Where the digest of bottle's own program is kept from one run to the next.
    pub(crate) program_memory: PathBuf,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The state directories are unusable.
    #[error(transparent)]
    State(#[from] StateError),
    /// The image can't be had.
    #[error(transparent)]
    Image(#[from] ResolveError),
    /// No ids for a bottle of root's.
    #[error(transparent)]
    Ids(#[from] IdsError),
    /// No signing key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// Whether a path lies inside could not be found out.
    #[error("cannot tell whether {what} {} can be changed from inside", path.display())]
    Contains {
        /// What it is.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// Why not.
        source: ContainsError,
    },
    /// The workload could change what it is judged by.
    #[error("{what} {} lies in {}, which the workload can write", path.display(), tree.display())]
    Writable {
        /// What it is.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// In which shared tree.
        tree: PathBuf,
    },
    /// The workload could read the key, and sign with it.
    #[error("the key {} lies in {}, which the workload can read", path.display(), tree.display())]
    Readable {
        /// Where it is.
        path: PathBuf,
        /// In which tree that is shown inside.
        tree: PathBuf,
    },
    /// What would be replaced is no file.
    #[error("the attestation {} is there already, and is no regular file", .0.display())]
    NoFile(PathBuf),
    /// A crash would start a helper of the host's.
    #[error(
        "core dumps can't be turned off: the hard limit of their size is 0, and this host pipes them to a program even then"
    )]
    CoreDumps,
    /// No randomness.
    #[error("no random numbers")]
    Random(#[source] std::io::Error),
    /// The plan has no canonical form.
    #[error("the image's plan can't be hashed")]
    Canonical(#[from] canonical::NoCanonicalForm),
    /// The executable can't be found.
    #[error("cannot tell where bottle's own executable lies")]
    Executable(#[source] std::io::Error),
}

impl PlanError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            PlanError::State(_) => Some("set BOTTLE_ROOT to a directory of your own".into()),
            PlanError::Image(error) => error.hint().map(str::to_owned),
            PlanError::Key(error) => error.hint().map(str::to_owned),
            PlanError::Writable { what: "bottle's own executable", .. } => {
                Some("install bottle elsewhere, or run it from another working directory".into())
            }
            PlanError::Readable { .. } => Some("show another directory, or keep the key elsewhere with --key".into()),
            PlanError::NoFile(_) => Some("give a file, or leave --attestation out".into()),
            PlanError::CoreDumps => {
                Some("raise the hard limit (`prlimit --core=1:1`), or as root `sysctl kernel.core_pattern=core`".into())
            }
            PlanError::Writable { .. } => Some("put it outside of every directory that is shared read-write".into()),
            _ => None,
        }
    }
}

impl Plan {
    /// Decides everything. What it makes is what stays by design: the state directories and, the first time, the key.
    pub fn new(options: RunOptions, caller: &Caller) -> Result<Plan, PlanError> {
        let state = State::open(&caller.places, caller.uid)?;
        let run = new_run_id().map_err(PlanError::Random)?;
        let files = bottle_images::resolve(&options.image, &context(&options, caller, &run))?;
        let directory = state.run_directory(&run);
        let audit = options.audit.unwrap_or_else(|| directory.join("audit.jsonl"));
        let attestation = options.attestation.unwrap_or_else(|| directory.join("attestation.json"));
        let key = options.key.unwrap_or_else(|| state.default_key());
        let executable = std::env::current_exe().map_err(PlanError::Executable)?;
        let judged = [
            ("the audit log", &audit),
            ("the attestation", &attestation),
            ("the key", &key),
            ("the state directory", &state.data),
            ("the state directory", &state.run),
            ("bottle's own executable", &executable),
        ];
        let policies = options.policy_files.iter().map(|path| ("the policy", path));
        let invoked = caller.invoked.iter().map(|path| ("bottle's own executable", path));
        let writable = Trees::of(&files.writable);
        let writable =
            writable.map_err(|source| PlanError::Contains { what: "the mounts", path: "/".into(), source })?;
        for (what, path) in judged.into_iter().chain(policies).chain(invoked) {
            outside(&writable, what, path)?;
        }
        unreadable(&files, &key)?;
        if confine::dumps_reach_a_helper() {
            return Err(PlanError::CoreDumps);
        }
        let what = "the attestation";
        let attestation =
            meant(&attestation).map_err(|source| PlanError::Contains { what, path: attestation, source })?;
        if std::fs::metadata(&attestation).is_ok_and(|there| !there.is_file()) {
            return Err(PlanError::NoFile(attestation));
        }
        make_private(&directory, caller.uid)?;
        let ids = if caller.uid == 0 { Some(PrivateIds::claim(&state.run)?) } else { None };
        let (signing, _) = keys::find_or_make(&key)?;
        Ok(Plan {
            run,
            image: bottle_evidence::sha256(&canonical::to_bytes(&files.image())?),
            argv: command(options.command, &options.image, &files),
            files,
            rules: Arc::new(options.rules),
            ids,
            lease_key: lease_key(&signing),
            key: Arc::new(signing),
            audit,
            attestation,
            nonce: options.nonce,
            stdio: options.stdio,
            timeout: options.timeout,
            descriptors: options.descriptors,
            program_memory: state.data.join("program.json"),
        })
    }

    /// Sentences that the person who runs this should read.
    pub fn warnings(&self) -> &[String] {
        &self.files.warnings
    }
}

fn context(options: &RunOptions, caller: &Caller, run: &str) -> Context {
    let mut context = Context::new(caller.uid, caller.gid, &caller.name, &caller.home, &caller.cwd);
    context.variables = caller.variables.clone();
    context.env = proxy_variables(options.proxy_env, caller);
    context.env.extend(options.env.iter().cloned());
    context.volumes = options.volumes.clone();
    context.workdir = options.workdir.clone();
    context.hostname = run.chars().take(12).collect();
    context
}

/// HTTPS_PROXY and its friends in both cases; the caller's NO_PROXY with loopback added.
fn proxy_variables(wanted: ProxyEnv, caller: &Caller) -> Vec<(String, String)> {
    if wanted == ProxyEnv::Unset {
        return Vec::new();
    }
    let [v4, _] = bottle_netns::Layout::default().explicit();
    let proxy = format!("http://{v4}");
    let own = ["NO_PROXY", "no_proxy"].iter().find_map(|name| caller.variables.get(*name));
    let loopback = "localhost,127.0.0.1,::1";
    let except = own.map_or_else(|| loopback.to_owned(), |own| format!("{own},{loopback}"));
    let mut variables = Vec::new();
    for name in ["HTTPS_PROXY", "HTTP_PROXY"] {
        variables.push((name.to_owned(), proxy.clone()));
        variables.push((name.to_lowercase(), proxy.clone()));
    }
    variables.push(("NO_PROXY".into(), except.clone()));
    variables.push(("no_proxy".into(), except));
    variables
}

fn outside(writable: &Trees<'_>, what: &'static str, path: &Path) -> Result<(), PlanError> {
    match writable.holding(path) {
        Ok(None) => Ok(()),
        Ok(Some(tree)) => Err(PlanError::Writable { what, path: path.to_owned(), tree: tree.clone() }),
        Err(source) => Err(PlanError::Contains { what, path: path.to_owned(), source }),
    }
}

/// What is only shown inside must not hold the key either.
fn unreadable(files: &MountPlan, key: &Path) -> Result<(), PlanError> {
    let shown = files.mounts.iter().filter_map(|mount| match &mount.kind {
        Kind::Share { source, .. } | Kind::ReadOnly { source } | Kind::System { source } => Some(source.clone()),
        _ => None,
    });
    let root = if let Root::Overlay { lower } = &files.root { Some(lower.clone()) } else { None };
    let shown: Vec<PathBuf> = shown.chain(root).collect();
    let failed = |source| PlanError::Contains { what: "the key", path: key.to_owned(), source };
    match Trees::of(&shown).map_err(failed)?.holding(key) {
        Ok(None) => Ok(()),
        Ok(Some(tree)) => Err(PlanError::Readable { path: key.to_owned(), tree: tree.clone() }),
        Err(source) => Err(PlanError::Contains { what: "the key", path: key.to_owned(), source }),
    }
}

/// The command, or where none was given a shell: the caller's for `host`, the image's own otherwise.
fn command(given: Vec<String>, image: &ImageRef, files: &MountPlan) -> Vec<String> {
    if !given.is_empty() {
        return given;
    }
    match image {
        ImageRef::Host => vec![files.user.shell.to_string_lossy().into_owned()],
        ImageRef::Directory(_) => vec!["/bin/sh".to_owned()],
    }
}

/// The key of the names' addresses: the same in each run under one signing key, and telling nothing of it.
fn lease_key(signing: &SigningKey) -> [u8; 32] {
    let message = signing.sign(b"bottle lease key v1");
    bottle_evidence::sha256(&message).0
}
