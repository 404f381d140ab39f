//! What becomes of a container? Nothing of ours, a bottle of its own, or a part of one that there is. The hook and the wrapper both
//! ask here.

use std::path::{Path, PathBuf};

use bottle_policy::Rules;

use super::prepare::{hints, list, shown};
use super::wanted::names_rules;
use super::{
    Configuration, Joined, PrepareError, Refusal, Settings, Wanted, WantedError, inherited, is_pod_member, mounted,
    nodes, refusals, wanted,
};
use crate::nested::Nested;
use crate::plan::adopted;
use crate::plan_error::PlanError;
use crate::records::Name;
use crate::state::State;

/// What becomes of it.
#[derive(Debug)]
pub enum Judged {
    /// None of our business.
    LeftAlone,
    /// A bottle of its own.
    Bottled {
        /// What it may reach.
        rules: Box<Rules>,
        /// The file that says so.
        file: Option<PathBuf>,
        /// What it is called.
        name: Option<Name>,
    },
    /// It is in the network of a bottle that lives, and so behind the same airlock.
    Joins(Joined),
}

/// Why it must not run.
#[derive(Debug, thiserror::Error)]
pub enum JudgedError {
    /// What is wanted of it can't be told, or had.
    #[error(transparent)]
    Wanted(#[from] WantedError),
    /// A part of a pod whose network is no bottle's.
    #[error("the container is part of a pod whose network is that of no bottle which lives")]
    NoPod,
    /// It can't have rules of its own there.
    #[error("the container joins the network of the bottle {0}, and names a policy of its own")]
    OtherPolicy(Name),
    /// An airlock around it would be of no use.
    #[error("bottle does not run this container: {}", list(.0))]
    Refused(Vec<Refusal>),
    /// Files of the host's that it sees can't be found.
    #[error(transparent)]
    Shown(#[from] PrepareError),
    /// It could change what it is judged by, or read the key.
    #[error(transparent)]
    Files(#[from] PlanError),
}

impl JudgedError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            JudgedError::Wanted(error) => error.hint(),
            JudgedError::NoPod => {
                Some("annotate the pod, so that its sandbox is a bottle, and not the container".into())
            }
            JudgedError::OtherPolicy(_) => Some("the bottle's policy holds for whoever joins it".into()),
            JudgedError::Refused(refusals) => hints(refusals),
            JudgedError::Shown(_) | JudgedError::Files(_) => None,
        }
    }
}

/// Decides it. `joined` is the bottle in whose network it is, or would be.
///
/// # Errors
/// [`JudgedError`]: then the container must not run.
pub fn judge(
    configuration: &Configuration,
    settings: &Settings,
    joined: Option<Joined>,
) -> Result<Judged, JudgedError> {
    let Some(joined) = joined else {
        return match wanted(configuration, settings)? {
            Wanted::LeftAlone => Ok(Judged::LeftAlone),
            Wanted::Bottled { .. } if is_pod_member(configuration) => Err(JudgedError::NoPod),
            Wanted::Bottled { rules, file, name } => Ok(Judged::Bottled { rules, file, name }),
        };
    };
    // A pod's annotations are those of its sandbox and of its members.
    if names_rules(configuration)? && !is_pod_member(configuration) {
        return Err(JudgedError::OtherPolicy(joined.name));
    }
    Ok(Judged::Joins(joined))
}

/// Demands of a container that nothing of its configuration leads around the airlock that it is, or will be, behind.
///
/// # Errors
/// [`JudgedError::Refused`]
pub fn admit(
    configuration: &Configuration,
    settings: &Settings,
    nested: Option<&Nested>,
    joined: Option<&Joined>,
    program: &Path,
) -> Result<(), JudgedError> {
    let (refused, _) = refusals::refusals(configuration, settings, nested, joined, program);
    if refused.is_empty() { Ok(()) } else { Err(JudgedError::Refused(refused)) }
}

/// Demands of one that its engine has created that it was handed nothing that leads around it, and is in a group where it must be. Of a bottle's own container its
/// supervisor does, as it does of files.
///
/// # Errors
/// [`JudgedError`]
pub fn admit_handed(
    configuration: &Configuration,
    settings: &Settings,
    nested: Option<&Nested>,
    pid: u32,
) -> Result<(), JudgedError> {
    let mut made = inherited::by(pid, configuration).map_err(PrepareError::Descriptors)?;
    made.extend(nodes::by(pid, configuration, nested));
    let (refused, _) = refusals::judged(made, settings);
    if refused.is_empty() { Ok(()) } else { Err(JudgedError::Refused(refused)) }
}

/// Demands the same of the host's files that it sees, and that it has no others mounted.
///
/// # Errors
/// [`JudgedError`]
pub fn admit_files(
    configuration: &Configuration,
    settings: &Settings,
    state: &State,
    pid: u32,
) -> Result<(), JudgedError> {
    let (refused, _) = refusals::judged(mounted::by(pid, configuration)?, settings);
    if !refused.is_empty() {
        return Err(JudgedError::Refused(refused));
    }
    let shown = shown(configuration)?;
    let writable: Vec<PathBuf> = shown.iter().filter(|(_, writable)| *writable).map(|(path, _)| path.clone()).collect();
    let shown: Vec<PathBuf> = shown.into_iter().map(|(path, _)| path).collect();
    let policies: Vec<PathBuf> = settings.policies.canonicalize().into_iter().collect();
    Ok(adopted::judge(&shown, &writable, &policies, state, &state.default_key())?)
}
