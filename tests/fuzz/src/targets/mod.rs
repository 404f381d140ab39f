//! Which readers of foreign bytes are there?

use crate::bounds;

mod client_hello;

mod connect_head;
mod http_answers;
mod http_head;
mod http_requests;
mod tunnel_answer;

mod dns_answer;
mod dns_query;

mod canonical_rules;
mod names;
mod policy;

mod attestation;
mod audit_entries;
mod audit_log;
mod canonical_json;
mod keys;

mod netlink_refusals;
mod netlink_rules;
mod netlink_survey;
mod netlink_watch;

mod git_settings;
mod image_archive;
mod image_documents;
mod image_names;
mod registry_challenge;

mod channel;
mod container;
mod engine;
mod recorder;
mod subordinate_ids;
mod tpm;

/// What a reader made of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It was understood.
    Accepted,
    /// It was refused, or there is more to come.
    Refused,
}

impl From<bool> for Reading {
    fn from(accepted: bool) -> Reading {
        if accepted { Reading::Accepted } else { Reading::Refused }
    }
}

/// A reader, and what must hold whatever it reads.
#[derive(Debug)]
pub struct Target {
    /// What it is called, here and below `corpus/`.
    pub name: &'static str,
    /// The longest input that is worth a try.
    pub longest: usize,
    /// Memory that it may hold for any input.
    memory: usize,
    read: fn(&[u8]) -> Reading,
}

/// Enough for all but one.
const MEMORY: usize = 1 << 20;

/// hickory makes room for as many records as a header counts, at most 65,535 in a section, and gives it back at once.
const MEMORY_OF_HICKORY: usize = 32 << 20;

impl Target {
    /// Gives the reader these bytes.
    ///
    /// # Panics
    /// If something does not hold.
    pub fn judge(&self, bytes: &[u8]) -> Reading {
        bounds::within(bytes.len(), self.memory, || (self.read)(bytes))
    }
}

macro_rules! targets {
    ($($name:ident: $longest:expr, $memory:expr;)*) => {
        /// All targets.
        pub const TARGETS: &[Target] =
            &[$(Target { name: stringify!($name), longest: $longest, memory: $memory, read: $name::read },)*];
    };
}

targets! {
    client_hello: 2048, MEMORY;
    connect_head: 512, MEMORY;
    http_answers: 2048, MEMORY;
    http_head: 2048, MEMORY;
    http_requests: 2048, MEMORY;
    tunnel_answer: 2048, MEMORY;
    dns_answer: 2048, MEMORY_OF_HICKORY;
    dns_query: 1024, MEMORY;
    canonical_rules: 4096, MEMORY;
    names: 512, MEMORY;
    policy: 4096, MEMORY;
    attestation: 16384, MEMORY;
    audit_entries: 8192, MEMORY;
    audit_log: 16384, MEMORY;
    canonical_json: 2048, MEMORY;
    keys: 512, MEMORY;
    netlink_refusals: 2048, MEMORY;
    netlink_rules: 4096, MEMORY;
    netlink_survey: 8192, MEMORY;
    netlink_watch: 4096, MEMORY;
    git_settings: 1024, MEMORY;
    image_archive: 8192, MEMORY;
    image_documents: 4096, MEMORY;
    image_names: 512, MEMORY;
    registry_challenge: 512, MEMORY;
    channel: 2048, MEMORY;
    container: 4096, MEMORY;
    engine: 8192, MEMORY;
    recorder: 4096, MEMORY;
    subordinate_ids: 1024, MEMORY;
    tpm: 4096, MEMORY;
}
