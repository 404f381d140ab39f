//! Evidence that nothing of ours would write, rightly chained and signed by the right key.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

pub mod rules;
pub mod spelled;

use bottle_evidence::audit::{Choice, SEAL_DOMAIN};
use bottle_evidence::verify::Head;
use bottle_evidence::{Digest, canonical, dsse, hex, sha256};
use serde_json::{Value, json};

use crate::recorded::{self, ISSUED, key, policy};

/// A log of whatever lines.
#[derive(Clone)]
pub struct Forge {
    pub bytes: Vec<u8>,
    seq: u64,
    prev: Digest,
    start: u64,
}

impl Forge {
    pub fn new() -> Forge {
        Forge { bytes: Vec::new(), seq: 0, prev: Digest::ZERO, start: 0 }
    }

    /// Adds a line of this kind. `prev`, `seq` and `time` are as they should be where they are not given.
    pub fn line(mut self, kind: &str, members: Value) -> Forge {
        self.seq += 1;
        let mut line = json!({ "kind": kind, "prev": self.prev, "seq": self.seq, "time": ISSUED });
        line.as_object_mut().unwrap().append(&mut members.as_object().unwrap().clone());
        if kind == "run.start" {
            self.start = self.seq;
        }
        self.raw(&canonical::to_bytes(&line).unwrap())
    }

    /// Adds these bytes as a line.
    pub fn raw(mut self, line: &[u8]) -> Forge {
        self.bytes.extend(line);
        self.bytes.push(b'\n');
        self.prev = sha256(line);
        self
    }

    pub fn start(self, run: &str) -> Forge {
        self.start_with(serde_json::to_value(recorded::run_start(run)).unwrap())
    }

    pub fn start_with(self, start: Value) -> Forge {
        self.line("run.start", start)
    }

    pub fn decision(self, attempt: u64, changed: Value) -> Forge {
        let mut decision = serde_json::to_value(recorded::judged(attempt, "a.example", Choice::Allow)).unwrap();
        decision.as_object_mut().unwrap().append(&mut changed.as_object().unwrap().clone());
        self.line("decision", decision)
    }

    pub fn outcome(self, attempt: u64, changed: Value) -> Forge {
        let mut outcome = json!({ "attempt": attempt, "bytes_down": 2, "bytes_up": 1, "millis": 3, "reason": null, "result": "closed", "upstream": null });
        outcome.as_object_mut().unwrap().append(&mut changed.as_object().unwrap().clone());
        self.line("outcome", outcome)
    }

    pub fn denied(self, name: &str, count: u64) -> Forge {
        self.line("dns.denied", json!({ "count": count, "name": name, "qtype": "A", "reason": "no-rule" }))
    }

    pub fn torn(self, unsealed: u64) -> Forge {
        self.line("torn", json!({ "bytes": 0, "sha256": policy(), "unsealed": unsealed }))
    }

    pub fn end(self, hosts: Value) -> Forge {
        self.end_with(json!({ "hosts": hosts }))
    }

    pub fn end_with(self, changed: Value) -> Forge {
        let command = recorded::run_start("").command;
        let mut end = json!({ "command": command, "count": self.seq + 1 - self.start, "exit": 0, "head": self.prev,
            "hosts": [], "millis": 1, "reason": null, "refused": {} });
        end.as_object_mut().unwrap().append(&mut changed.as_object().unwrap().clone());
        self.line("run.end", end)
    }

    pub fn seal(self) -> Forge {
        let unsigned = json!({ "key": key().public().id(), "kind": "seal", "prev": self.prev, "seq": self.seq + 1, "time": ISSUED });
        let message = [SEAL_DOMAIN.as_bytes(), &canonical::to_bytes(&unsigned).unwrap()].concat();
        let signature = hex::encode(&key().sign(&message));
        self.line("seal", json!({ "key": key().public().id(), "signature": signature }))
    }

    /// The last line.
    pub fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.prev }
    }
}

/// An envelope around any payload, rightly signed.
pub fn signed(payload: &[u8]) -> Vec<u8> {
    dsse::sign(&key(), dsse::IN_TOTO, payload).to_bytes()
}

/// Numbers that look drawn, the same ones for the same seed: SplitMix64.
pub fn drawn(seed: u64) -> impl Iterator<Item = u64> {
    (1_u64..).map(move |step| {
        let mut drawn = seed.wrapping_add(step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        drawn ^ (drawn >> 31)
    })
}
