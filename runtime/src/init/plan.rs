//! What does init need to know before it builds anything?

use std::io;
use std::os::fd::OwnedFd;

use bottle_images::MountPlan;
use serde::{Deserialize, Serialize};

use crate::memory;
use crate::probe::ProbePlan;

/// Everything that is decided about a workload.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InitPlan {
    /// Its files, its user, its environment and its working directory.
    pub files: MountPlan,
    /// Its program and arguments; never empty.
    pub argv: Vec<String>,
    /// Whose ids it has outside.
    pub ids: Ids,
    /// The bottle's host name.
    pub hostname: String,
    /// Its soft limit of descriptors, where it is not the supervisor's.
    pub descriptors: Option<u64>,
    /// The size of its pty, if it has one.
    pub terminal: Option<Window>,
    /// What the probes need.
    pub probe: ProbePlan,
}

/// Whose ids the workload has outside. Never root's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Ids {
    /// Root runs the bottle: inside 0..65536 is `base`.. outside.
    Private {
        /// The first of 65,536 ids that nobody else has.
        base: u32,
    },
    /// An ordinary user runs it: the one uid and gid is the same inside and outside.
    Own,
}

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
}

impl InitPlan {
    /// Puts the plan into memory that can't be changed, for [`super::message::ToInit::Start`].
    pub fn seal(&self) -> io::Result<OwnedFd> {
        memory::write(&serde_json::to_string(self)?)
    }

    /// Reads such a plan.
    ///
    /// # Errors
    /// `InvalidData` for anything else.
    pub fn unseal(memory: OwnedFd) -> io::Result<InitPlan> {
        let plan: InitPlan = serde_json::from_str(&memory::read(memory)?)?;
        let ids = match plan.ids {
            Ids::Private { base } => base >= 65_536 && plan.files.user.uid < 65_536 && plan.files.user.gid < 65_536,
            Ids::Own => plan.files.user.uid != 0,
        };
        let whole = ids && !plan.argv.is_empty();
        if whole { Ok(plan) } else { Err(io::Error::new(io::ErrorKind::InvalidData, "the plan contradicts itself")) }
    }
}
