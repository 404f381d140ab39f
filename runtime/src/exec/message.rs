//! What do client, supervisor and the entering process say to each other?

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::confine::Wall;
use crate::control::Refusal;
use crate::init::message::{End, Failure};
use crate::init::plan::Window;
use crate::signal::Signal;
use crate::ulimit::Ulimit;

/// What a client asks for. Beside it come its standard input, output and error, unless it wants a terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExecRequest {
    /// The program and its arguments; never empty.
    pub(crate) argv: Vec<String>,
    /// Variables beside those that the first process got.
    pub(crate) env: Vec<(String, String)>,
    /// The working directory inside, where it is not the first process's.
    pub(crate) workdir: Option<PathBuf>,
    /// Whom it runs as, by name or number, where that is not the first process's user.
    pub(crate) user: Option<String>,
    /// The size of its terminal, if it wants one.
    pub(crate) terminal: Option<Window>,
}

/// From the client, once its process runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) enum Further {
    /// Send it a signal.
    Signal {
        /// Which.
        signal: Signal,
    },
}

/// From the supervisor to the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) enum Told {
    /// It runs; the master of its terminal is beside this, if it has one.
    Running,
    /// It ended.
    Ended(End),
    /// It does not run.
    Refused(Refusal),
}

/// What the entering process has to know. Beside it come init's pidfd, the workload's user namespace, and three streams
/// where there is no terminal.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnterPlan {
    /// Whether init lives in a user namespace of its own, as an ordinary user's does.
    pub(super) own_user: bool,
    pub(super) argv: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) ulimits: Vec<Ulimit>,
    pub(super) readily_killed: Option<u16>,
    pub(super) wall: Wall,
    pub(super) workdir: PathBuf,
    pub(super) descriptors: Option<u64>,
    /// Uid and gid inside.
    pub(super) inside: (u32, u32),
    /// The same, as init counts.
    pub(super) outside: (u32, u32),
    pub(super) terminal: Option<Window>,
}

/// From the entering process.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) enum FromEntering {
    /// Its sibling is forked. Beside this: its pidfd, what it reports by, what releases it, and the master of its terminal if
    /// it has one.
    Forked,
    /// It is not.
    Failed(Failure),
}

impl From<Failure> for Refusal {
    fn from(Failure { code, what, hint }: Failure) -> Refusal {
        Refusal { code, what, hint }
    }
}
