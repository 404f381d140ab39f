//! Statements, seals, the audit chain and their offline verification. Pure.
//!
//! Two things are made here. An *attestation* says, before the workload's first instruction, what was measured
//! around it: a [`predicate`] in a [`statement`] in a [`dsse`] envelope. The [`audit`] log says what happened since:
//! a chain of lines, sealed with a [`key`]. [`verify`] judges both, offline, trusting a public key and nothing else.
//!
//! Nothing here opens a file or reads a clock: bytes, readers and times are handed in.

pub mod boot;
pub mod digest;
pub mod text;
pub mod time;

pub mod canonical;
pub mod key;
mod retirement;

pub mod dsse;
pub mod predicate;
pub mod statement;

pub mod audit;

pub mod verify;

pub mod quote;

pub mod incident;

pub mod hex;

pub use boot::BootId;
pub use digest::{Digest, sha256};
pub use text::Text;
pub use time::Time;
