//! What does a TPM do for a run? It keeps the signing key, and says in which state the machine is. Who speaks to one is handed in.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bottle_evidence::Digest;
use bottle_evidence::quote::Quote;

/// A TPM 2.0, as far as there is use for one. Each call is a conversation of its own, and may take seconds.
pub trait Tpm: fmt::Debug + Send + Sync {
    /// Encrypts a secret so that this TPM alone gives it back, and only while these PCRs have the values that they have now.
    ///
    /// # Errors
    /// [`TpmFailure`].
    fn seal(&self, secret: &[u8; 32], pcrs: &[u8]) -> Result<Sealed, TpmFailure>;

    /// Gives a secret back.
    ///
    /// # Errors
    /// [`TpmFailure`].
    fn unseal(&self, sealed: &Sealed) -> Result<[u8; 32], TpmFailure>;

    /// Answers this question with the values of PCRs.
    ///
    /// # Errors
    /// [`TpmFailure`].
    fn quote(&self, question: Digest) -> Result<Quote, TpmFailure>;
}

/// What a TPM sealed: worth nothing without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its public part.
    pub public: Vec<u8>,
    /// Its private part, encrypted by the TPM.
    pub private: Vec<u8>,
    /// The PCRs that it was sealed for.
    pub pcrs: Vec<u8>,
}

/// A TPM that a run may use.
#[derive(Clone, Debug)]
pub struct TpmUse {
    /// The TPM.
    pub tpm: Arc<dyn Tpm>,
    /// Which attestations have a quote of it.
    pub quoted: Quoted,
}

/// Which attestations have a quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoted {
    /// All: a run without one comes to nothing.
    Always,
    /// Those that are signed by a key that the TPM keeps.
    WithItsKey,
}

/// Why a TPM did not do what it was asked for.
#[derive(Debug)]
pub struct TpmFailure {
    /// Why.
    pub source: Box<dyn Error + Send + Sync>,
    /// What to do about it.
    pub hint: Option<&'static str>,
}

impl fmt::Display for TpmFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl Error for TpmFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.source()
    }
}
