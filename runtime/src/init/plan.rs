//! What does init need to know before it builds anything?

use std::io;
use std::os::fd::OwnedFd;

use bottle_images::{IDS, IdMap, Line, MountPlan};
use serde::{Deserialize, Serialize};

use crate::confine::Ports;
use crate::memory;
use crate::probe::ProbePlan;
use crate::ulimit::Ulimit;

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
    /// What else each of its processes may use.
    pub ulimits: Vec<Ulimit>,
    /// How readily the kernel kills it when memory runs out (proc(5), oom_score_adj), where that is not as for others.
    pub readily_killed: Option<u16>,
    /// The size of its pty, if it has one.
    pub terminal: Option<Window>,
    /// Whether it opens connections to the workload's ports.
    pub ports: Ports,
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
    /// An ordinary user runs it: the workload's one uid and gid inside are these outside.
    Own {
        /// The caller's uid.
        uid: u32,
        /// The caller's gid.
        gid: u32,
    },
    /// The same, and it has a range: inside 0..65536 is what this map says.
    Range {
        /// Which are the caller's own, and where the others begin.
        map: IdMap,
    },
    /// The root of an engine's user namespace runs it: whoever is bottle's has this one id there.
    One {
        /// Both as uid and as gid; never 0.
        id: u32,
    },
    /// An ordinary user's container: the caller is this one in the container's user namespace, perhaps its root.
    Within {
        /// The caller's uid there.
        uid: u32,
        /// The caller's gid there.
        gid: u32,
    },
}

impl Ids {
    /// Whether it is an ordinary user's, in a user namespace around the workload's.
    pub(crate) fn is_own(self) -> bool {
        matches!(self, Ids::Own { .. } | Ids::Range { .. })
    }

    /// Outside, the one with the lowest number.
    pub(crate) fn lowest(self) -> u32 {
        match self {
            Ids::Private { base } => base,
            Ids::One { id } => id,
            Ids::Own { uid, .. } | Ids::Within { uid, .. } => uid,
            Ids::Range { map } => map.outside((0, 0)).map_or(u32::MAX, |(uid, _)| uid),
        }
    }

    /// The lines of the workload's uid_map and gid_map, if it is `own` inside.
    pub(crate) fn maps(self, own: (u32, u32)) -> (Vec<Line>, Vec<Line>) {
        match self {
            Ids::Private { base } => (vec![(0, base, IDS)], vec![(0, base, IDS)]),
            Ids::Own { uid, gid } | Ids::Within { uid, gid } => (vec![(own.0, uid, 1)], vec![(own.1, gid, 1)]),
            Ids::One { id } => (vec![(own.0, id, 1)], vec![(own.1, id, 1)]),
            Ids::Range { map } => (map.uids.lines(), map.gids.lines()),
        }
    }

    /// Those of the user namespace around the workload's, where there is one.
    pub(crate) fn around(self) -> Option<(Vec<Line>, Vec<Line>)> {
        match self {
            // A container's is its engine's affair.
            Ids::Private { .. } | Ids::One { .. } | Ids::Within { .. } => None,
            Ids::Own { uid, gid } => Some((vec![(uid, uid, 1)], vec![(gid, gid, 1)])),
            Ids::Range { map } => Some(map.around()),
        }
    }

    /// What this pair inside is outside; nothing where it is nobody.
    pub(crate) fn outside(self, inside: (u32, u32), own: (u32, u32)) -> Option<(u32, u32)> {
        match self {
            Ids::Own { uid, gid } | Ids::Within { uid, gid } => (inside == own).then_some((uid, gid)),
            Ids::One { id } => (inside == own).then_some((id, id)),
            Ids::Private { base } => (inside.0 < IDS && inside.1 < IDS).then(|| (base + inside.0, base + inside.1)),
            Ids::Range { map } => map.outside(inside),
        }
    }
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
        let is_inside = plan.files.user.uid < IDS && plan.files.user.gid < IDS;
        let ids = match plan.ids {
            Ids::Private { base } => base >= IDS && is_inside,
            Ids::Own { uid, .. } => uid != 0,
            Ids::Range { map } => map.is_sound() && is_inside,
            Ids::One { id } => id != 0 && is_inside,
            Ids::Within { .. } => is_inside,
        };
        let whole = ids && !plan.argv.is_empty();
        if whole { Ok(plan) } else { Err(io::Error::new(io::ErrorKind::InvalidData, "the plan contradicts itself")) }
    }
}
