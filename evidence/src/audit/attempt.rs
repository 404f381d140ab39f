//! What is recorded of one connection attempt? The decision before it, and the outcome after it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::text::Text;

/// A connection attempt was judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The attempt's number, unique within the run.
    pub attempt: u64,
    /// Who tried.
    pub process: Process,
    /// The name that it wanted, if it is known.
    pub name: Option<Text>,
    /// The address that it connected to.
    pub address: IpAddr,
    /// The TCP port that it wanted.
    pub port: u16,
    /// What its first bytes showed.
    pub seen: Seen,
    /// What was decided.
    pub decision: Choice,
    /// Why not, by the reason's stable code.
    pub reason: Option<Text>,
    /// The rule that decided, as `domains[2] at 7:5`.
    pub rule: Option<Text>,
    /// The digest of the policy that decided.
    pub policy: Digest,
}

/// A decision; a later one is the graver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// A rule allows it.
    Allow,
    /// Nothing names it; the mode lets it pass.
    Observe,
    /// An operator is asked.
    Escalate,
    /// No.
    Deny,
}

/// Who tried to connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Process {
    /// It was not found out: the text says why.
    Unknown(Unknown),
    /// It was.
    Known(Known),
}

impl Process {
    /// It was looked for in vain.
    pub const UNKNOWN: Process = Process::Unknown(Unknown::Unknown);
    /// It was not looked for, or not to the end.
    pub const UNSOUGHT: Process = Process::Unknown(Unknown::Unsought);
}

/// Why nobody is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    /// Nobody was found who held the connection.
    Unknown,
    /// More would have had to be looked at than may be in a while.
    Unsought,
}

/// A process that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// Process id, as the host counts.
    pub pid: u32,
    /// Clock ticks since boot: with the id, no other process has it.
    pub start: u64,
    /// The path of its executable, as it is called where the process sees it.
    pub exe: Text,
    /// The user that it runs as, as the host counts.
    pub uid: u32,
}

/// What a client's first bytes showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "protocol", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Seen {
    /// None was read.
    Nothing,
    /// A TLS ClientHello.
    Tls {
        /// The server name, if it shows one.
        sni: Option<Text>,
        /// Whether it offers an encrypted ClientHello.
        ech: bool,
    },
    /// An HTTP/1 request head.
    Http {
        /// The host that it names, if it names one.
        host: Option<Text>,
        /// The port that it names, if it names one.
        port: Option<u16>,
    },
    /// Something else.
    Opaque,
    /// Something that begins like TLS or HTTP and is neither.
    Unparsable {
        /// What is wrong with it.
        why: Text,
    },
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The attempt's number, as in its decision.
    pub attempt: u64,
    /// How it ended.
    pub result: Ended,
    /// Why, by a stable code or in a few words.
    pub reason: Option<Text>,
    /// The address that was dialled.
    pub upstream: Option<IpAddr>,
    /// Bytes of the workload's that left. `None`, as in the next two, where nobody was left to say: only a cut can be so,
    /// and bytes may have passed.
    pub bytes_up: Option<u64>,
    /// Bytes that came back.
    pub bytes_down: Option<u64>,
    /// How long it lasted, in milliseconds.
    pub millis: Option<u64>,
}

impl Outcome {
    /// Whether it says what it must: all amounts, or none of an attempt that was cut.
    pub(crate) fn is_counted(&self) -> bool {
        let known = [self.bytes_up, self.bytes_down, self.millis].map(|amount| amount.is_some());
        known == [true; 3] || (known == [false; 3] && self.result == Ended::Cut)
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// Both sides were done.
    Closed,
    /// It was denied, by the decision or by a check of the addresses after it.
    Refused,
    /// Nothing answered.
    Unreachable,
    /// We ended it: drift, shutdown or a limit.
    Cut,
    /// One side broke off.
    Reset,
}
