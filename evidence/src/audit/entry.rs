//! What can an entry of the audit log say?

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::audit::{Choice, Decision, Inbound, InboundOutcome, Outcome};
use crate::digest::Digest;
use crate::key::KeyId;
use crate::predicate::Mode;
use crate::text::Text;

/// One entry. Integers go up to [`MAX_INTEGER`](crate::canonical::MAX_INTEGER), which RFC 8785 keeps exactly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Entry {
    /// A run begins.
    #[serde(rename = "run.start")]
    RunStart(RunStart),
    /// A connection attempt was judged.
    #[serde(rename = "decision")]
    Decision(Decision),
    /// What became of an attempt.
    #[serde(rename = "outcome")]
    Outcome(Outcome),
    /// Somebody outside connected to a published port.
    #[serde(rename = "inbound")]
    Inbound(Inbound),
    /// What became of that.
    #[serde(rename = "inbound.outcome")]
    InboundOutcome(InboundOutcome),
    /// Names were asked for that are denied.
    #[serde(rename = "dns.denied")]
    DnsDenied(DnsDenied),
    /// Packets were refused before any proxy saw them.
    #[serde(rename = "refused")]
    Refused(Refused),
    /// Another process is to be started in the run's bottle.
    #[serde(rename = "run.exec")]
    RunExec(RunExec),
    /// The binding was measured and attested again.
    #[serde(rename = "run.renew")]
    RunRenew(RunRenew),
    /// The binding no longer holds: the attestation is revoked.
    #[serde(rename = "drift")]
    Drift(Drift),
    /// The log was taken up again after its writer had died.
    #[serde(rename = "torn")]
    Torn(Torn),
    /// The log goes on in this file.
    #[serde(rename = "segment")]
    Segment(Segment),
    /// All lines up to the one before are signed for.
    #[serde(rename = "seal")]
    Seal(Seal),
    /// A run is over.
    #[serde(rename = "run.end")]
    RunEnd(RunEnd),
}

/// A run begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunStart {
    /// The run's id; no two runs of one log have the same.
    pub run: Text,
    /// SHA-256 of the attestation's envelope, as written.
    pub attestation: Digest,
    /// The first process.
    pub workload: Workload,
    /// Its argument vector.
    pub command: Vec<Text>,
    /// What the policy does.
    pub mode: Mode,
    /// The digest of the policy in force.
    pub policy: Digest,
}

/// A process for as long as the machine is up: an id is used again, an id and a start time are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Process id, as the host counts.
    pub pid: u32,
    /// Clock ticks since boot (field 22 of /proc/PID/stat).
    pub start: u64,
}

/// Another process is to be started in the run's bottle, under the confinement of the first. Nothing of it runs before this is
/// on the disk; it may fail to start all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunExec {
    /// Its argument vector.
    pub command: Vec<Text>,
    /// Its uid and gid inside, as `1000:1000`.
    pub user: Text,
}

/// The binding was measured again while the run went on, and attested. On the disk before anybody was handed the attestation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRenew {
    /// SHA-256 of the new attestation's envelope, as written.
    pub attestation: Digest,
    /// What the one who asked for it gave.
    pub nonce: Digest,
}

/// A name was asked for that is denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsDenied {
    /// The name.
    pub name: Text,
    /// The type of record, as `AAAA`.
    pub qtype: Text,
    /// Why not, by the reason's stable code.
    pub reason: Text,
    /// How many queries this entry stands for, those that an earlier one stands for not among them.
    pub count: u64,
}

/// A packet was refused before any proxy saw it. A sample: the exact counts are in `run.end`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// The refusal class, as `udp4`.
    pub class: Text,
    /// The protocol's name or number.
    pub protocol: Text,
    /// The port that it came from, where its protocol has ports.
    pub source_port: Option<u16>,
    /// The address that it was for.
    pub address: Option<IpAddr>,
    /// The port that it was for, where its protocol has ports.
    pub port: Option<u16>,
}

/// The binding no longer holds: the attestation is revoked from here on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// What changed, by a stable code.
    pub what: Text,
    /// What it was, and what it is.
    pub detail: Text,
}

/// The log was taken up again after its writer had died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Torn {
    /// How many bytes of an unfinished line were cut.
    pub bytes: u64,
    /// SHA-256 of these bytes.
    pub sha256: Digest,
    /// How many lines before this one no seal had signed for: they are kept, and vouched for by the disk alone.
    pub unsealed: u64,
}

/// The log goes on in this file. The line's own place and `prev` name the last line of the file before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// Which file of the log this is; the first, which has no such line, is 1.
    pub number: u64,
}

/// All lines up to the one before are signed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// Who signed.
    pub key: KeyId,
    /// The signature of this line without this field.
    #[serde(with = "crate::audit::seal::spelling")]
    pub signature: [u8; 64],
}

/// A run is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunEnd {
    /// How many lines of this run come before this one, seals and `run.start` among them.
    pub count: u64,
    /// The hash of the line before this one.
    pub head: Digest,
    /// The argument vector of the first process, as `run.start` has it.
    pub command: Vec<Text>,
    /// What bottle exited with.
    pub exit: u8,
    /// Why bottle ended the run, if it did.
    pub reason: Option<Text>,
    /// How long the workload ran, in milliseconds.
    pub millis: u64,
    /// How many packets were refused, by class: exact.
    pub refused: BTreeMap<Text, u64>,
    /// One row per host.
    pub hosts: Vec<HostRow>,
}

/// What a run did with one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostRow {
    /// The name, or the address where there was no name.
    pub name: Text,
    /// The port, if it was always the same one.
    pub port: Option<u16>,
    /// The gravest decision: one denial makes the row a denial.
    pub decision: Choice,
    /// How many connections were tried.
    pub connections: u64,
    /// How many of them, and of the queries for the name, were denied.
    pub denied: u64,
    /// Bytes that left.
    pub bytes_up: u64,
    /// Bytes that came back.
    pub bytes_down: u64,
    /// How long its connections lasted, added up, in milliseconds.
    pub millis: u64,
}
