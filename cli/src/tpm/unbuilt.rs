//! What is said of TPMs by a program that was built without them? That it speaks to none.

use std::path::PathBuf;

use bottle_evidence::Digest;
use bottle_evidence::quote::{AttestationKey, Quote};
use bottle_runtime::tpm::{Sealed, Tpm, TpmFailure};

use crate::report::Failure;

/// A TPM in a program that speaks to none.
#[derive(Debug, thiserror::Error)]
#[error("cannot speak to the TPM {}: this bottle was built without that", .0.display())]
struct Unbuilt(PathBuf);

/// A speaker that there is none of.
#[derive(Clone, Copy, Debug)]
pub enum Speaker {}

impl Speaker {
    /// Never one.
    pub fn at(path: PathBuf) -> Result<Speaker, Failure> {
        Err(Failure::new(Unbuilt(path)).with_hint("cargo build --release --features tpm builds one that does"))
    }

    /// The key that signs its quotes.
    pub fn attestation_key(&self) -> Result<AttestationKey, TpmFailure> {
        match *self {}
    }
}

impl Tpm for Speaker {
    fn seal(&self, _: &[u8; 32], _: &[u8]) -> Result<Sealed, TpmFailure> {
        match *self {}
    }

    fn unseal(&self, _: &Sealed) -> Result<[u8; 32], TpmFailure> {
        match *self {}
    }

    fn quote(&self, _: Digest) -> Result<Quote, TpmFailure> {
        match *self {}
    }
}
