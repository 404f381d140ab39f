//! How does what an engine says become an adoption? Everything is looked at, and nothing is changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bottle_evidence::canonical::NoCanonicalForm;
use bottle_policy::Rules;

use super::{Configuration, Exception, Refusal, Settings, State, Status, inherited, mounted, mounts, nodes, refusals};
use crate::adopt::{Adoption, Container, FindError, HoldError, InsideFile};
use crate::caller::Caller;
use crate::options::Words;
use crate::records::Name;

/// Why there is no adoption.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// It is not about to start.
    #[error("the container is {0:?}: a hook that creates comes before it runs")]
    Status(Status),
    /// An airlock around it would be of no use.
    #[error("bottle does not run this container: {}", list(.0))]
    Refused(Vec<Refusal>),
    /// Its first process can't be held.
    #[error(transparent)]
    Hold(#[from] HoldError),
    /// What it holds open can't be looked at.
    #[error("cannot see which descriptors the container was handed")]
    Descriptors(#[source] std::io::Error),
    /// Whoever calls has no id in it, and so no power over it.
    #[error("uid {0} is nobody in the container's user namespace")]
    Nobody(u32),
    /// Its program can't be found.
    #[error(transparent)]
    Program(#[from] FindError),
    /// What its seccomp filter is made of can't be hashed.
    #[error("the container's seccomp settings can't be hashed")]
    Seccomp(#[from] NoCanonicalForm),
    /// What is mounted can't be told.
    #[error("cannot read what is mounted")]
    Mounts(#[source] std::io::Error),
    /// The runtime has followed a link, or a directory had another name, when it looked for the root.
    #[error("the container's root is not mounted at {}, where its configuration leads by now", .0.display())]
    Elsewhere(PathBuf),
    /// Files of the host's that it sees can't be found.
    #[error("cannot find {}, which the container is to see", .0.display())]
    Shown(PathBuf, #[source] std::io::Error),
}

impl PrepareError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            PrepareError::Refused(refusals) => hints(refusals),
            PrepareError::Elsewhere(_) => {
                Some("have root.path lead to the same directory until the container runs".into())
            }
            _ => None,
        }
    }
}

pub(super) fn list(refusals: &[Refusal]) -> String {
    refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

pub(super) fn hints(refusals: &[Refusal]) -> Option<String> {
    let hints: BTreeSet<String> = refusals.iter().map(Refusal::hint).collect();
    (!hints.is_empty()).then(|| hints.into_iter().collect::<Vec<_>>().join("; "))
}

/// Of a container that is to be a bottle.
///
/// # Errors
/// [`PrepareError`]: then it must not run.
pub fn prepare(
    state: &State,
    configuration: &Configuration,
    settings: &Settings,
    (rules, file, name): (Rules, Option<PathBuf>, Option<Name>),
    caller: &Caller,
    words: Words,
) -> Result<Adoption, PrepareError> {
    if !matches!(state.status, Status::Creating | Status::Created) {
        return Err(PrepareError::Status(state.status));
    }
    let (refused, mut passed) =
        refusals::refusals(configuration, settings, caller.nested.as_ref(), None, Path::new("/proc/self/exe"));
    if !refused.is_empty() {
        return Err(PrepareError::Refused(refused));
    }
    let mut apart = vec!["net", "pid", "mnt"];
    apart.extend((!passed.contains(&Exception::HostIpc)).then_some("ipc"));
    apart.extend((caller.nested.is_none() && !passed.contains(&Exception::HostUser)).then_some("user"));
    let container = Container::hold(state.pid, &apart)?;
    let mut made = inherited::by(state.pid, configuration).map_err(PrepareError::Descriptors)?;
    made.extend(nodes::by(state.pid, configuration, caller.nested.as_ref()));
    let (refused, passed_besides) = refusals::judged(made, settings);
    if !refused.is_empty() {
        return Err(PrepareError::Refused(refused));
    }
    passed.extend(passed_besides);
    passed.sort_unstable();
    passed.dedup();
    let caller = match (caller.uid, caller.gid) {
        // It needs none.
        root @ (0, _) => root,
        own @ (uid, _) => container.inside(own).ok_or(PrepareError::Nobody(uid))?,
    };
    let process = &configuration.written.process;
    let command = process.args.clone().unwrap_or_default();
    let first = command.first().map(String::as_str).unwrap_or_default();
    let path = configuration.variable("PATH");
    let root = root(configuration)?;
    let (refused, passed_besides) = refusals::judged(mounted::by(state.pid, configuration)?, settings);
    if !refused.is_empty() {
        return Err(PrepareError::Refused(refused));
    }
    passed.extend(passed_besides);
    passed.sort_unstable();
    passed.dedup();
    let program = InsideFile::find(&container, &root, first, &process.cwd, path)?;
    let shown = shown(configuration)?;
    Ok(Adoption {
        container: Arc::new(container),
        caller,
        id: state.id.clone(),
        rules,
        policy_files: file.into_iter().collect(),
        name,
        command,
        program,
        user: (process.user.uid, process.user.gid),
        workdir: process.cwd.clone(),
        environment: configuration.variables().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        configuration: configuration.digest,
        writable: shown.iter().filter(|(_, writable)| *writable).map(|(path, _)| path.clone()).collect(),
        shown: shown.into_iter().map(|(path, _)| path).collect(),
        seccomp: configuration.seccomp()?,
        confinement: configuration.confinement(),
        let_pass: passed,
        filtered: !settings.allow.contains(&Exception::Vsock),
        words,
    })
}

/// Where the container's root lies.
pub(super) fn root(configuration: &Configuration) -> Result<PathBuf, PrepareError> {
    let missing = || unresolved(configuration.root());
    configuration.resolved_root().map(Path::to_owned).ok_or_else(missing)
}

/// There was nothing when the configuration was read. What came since then is not what was judged.
fn unresolved(path: PathBuf) -> PrepareError {
    let error = path.canonicalize().err().unwrap_or_else(|| std::io::ErrorKind::NotFound.into());
    PrepareError::Shown(path, error)
}

/// What of the host's files is shown, by its canonical path.
pub(super) fn shown(configuration: &Configuration) -> Result<Vec<(PathBuf, bool)>, PrepareError> {
    let missing = mounts::all(configuration).find(|source| configuration.leads_to(&source.path).is_none());
    match missing {
        Some(source) => Err(unresolved(configuration.bundle.join(source.path))),
        None => Ok(configuration.shown()),
    }
}
