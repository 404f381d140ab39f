//! What is known of a run? `run.json` from its beginning, `exit.json` from its end.

use bottle_evidence::{Digest, Time};
use serde::{Deserialize, Serialize};

use super::Name;
use crate::publish::Published;

/// `run.json`. Paths are shown as far as they are UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// 32 hexadecimal digits.
    pub id: String,
    /// What it is called: the given name, or the beginning of its id.
    pub name: Name,
    /// The image as it was asked for.
    pub image: String,
    /// The digest of the image's manifest where it has one, else of the plan.
    pub image_digest: Digest,
    /// The digest of the policy in force.
    pub policy: Digest,
    /// The first process's program and arguments.
    pub command: Vec<String>,
    /// Its user inside.
    pub user: String,
    /// Its working directory inside.
    pub workdir: String,
    /// When it was asked for.
    pub created: Time,
    /// Whether it runs apart from who started it.
    pub detached: bool,
    /// Whether the first process has a terminal of its own.
    pub terminal: bool,
    /// What becomes of this record when the run has ended.
    pub afterwards: Afterwards,
    /// By which signal its first process is asked to end.
    pub stop_signal: i32,
    /// The audit log.
    pub audit: String,
    /// The attestation.
    pub attestation: String,
    /// The list of files that the run changed and this machine may execute later; it is there once there are some.
    #[serde(default)]
    pub changes: String,
    /// What everything is dialled through, without credentials.
    #[serde(default)]
    pub upstream_proxy: Option<String>,
    /// The ports inside, and where on the host they are.
    #[serde(default)]
    pub published: Vec<Published>,
    /// The supervisor, as long as the record's lock is held.
    pub supervisor: u32,
    /// Once the first process was released.
    pub running: Option<Running>,
}

/// What is known of a run once its first process was released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// When.
    pub started: Time,
    /// The first process, as the host counts.
    pub workload: u32,
    /// In which clock tick since boot that began, which tells it from another process of its number, as in another pid namespace. Older
    /// programs did not say it.
    #[serde(default)]
    pub start: Option<u64>,
    /// Which of the supervisor's descriptors names its control socket, which has no name elsewhere.
    pub control: Option<i32>,
}

/// What becomes of a record when its run has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Afterwards {
    /// It stays until it is removed.
    Keep,
    /// It goes with the run. The evidence stays in either case.
    Forget,
}

/// `exit.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// What bottle exits with.
    pub code: u8,
    /// The signal that ended the first process, if one did.
    pub signal: Option<i32>,
    /// Why bottle ended it, if bottle did.
    pub reason: Option<String>,
    /// When.
    pub ended: Time,
}
