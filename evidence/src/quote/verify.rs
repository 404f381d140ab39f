//! Does a quote hold, and is it the answer to this attestation?

use std::collections::BTreeMap;
use std::fmt;

use super::attested::{Attested, signature};
use super::{AttestationKey, FACT, Quote, question};
use crate::digest::{Digest, sha256};
use crate::verify::Verified;

/// How a refusal is called, and which code a program gives back for it. Names and numbers stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum QuoteRefusal {
    /// There is no quote.
    QuoteMissing = 30,
    /// It has not the form of one.
    QuoteMalformed = 31,
    /// Another TPM's.
    QuoteWrongKey = 32,
    /// The signature is of something else.
    QuoteBadSignature = 33,
    /// It answers another question: of another run, nonce or key.
    QuoteMismatch = 34,
    /// The PCRs are not those that it is of, or not as expected.
    PcrMismatch = 35,
}

/// Why a quote was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuoteError {
    /// The attestation has none.
    #[error("there is no quote of a TPM in it")]
    Missing,
    /// The fact has another form.
    #[error("the fact {FACT} is no quote")]
    Form,
    /// It says that another key signed it.
    #[error("the quote is by the key {0}, which is not the one that was given")]
    OtherKey(Digest),
    /// The signature does not fit.
    #[error("the quote's signature is wrong")]
    BadSignature,
    /// What the TPM signed is no quote over the SHA-256 bank.
    #[error("what the TPM signed is not a quote over its SHA-256 bank")]
    NoQuote,
    /// It was made for something else.
    #[error("the quote was made for another attestation: its run, nonce or key is another")]
    OtherQuestion,
    /// The values beside it are not those that it is of.
    #[error("the values of PCRs are not those that the TPM quoted")]
    OtherValues,
    /// A PCR that was expected is not in it.
    #[error("PCR {0} is not in the quote")]
    NoPcr(u8),
    /// A PCR has another value.
    #[error("PCR {number} is {value}, which is not the value expected")]
    Pcr {
        /// Which one.
        number: u8,
        /// What it is.
        value: Digest,
    },
}

impl QuoteError {
    /// What kind of refusal this is.
    pub fn refusal(&self) -> QuoteRefusal {
        match self {
            QuoteError::Missing => QuoteRefusal::QuoteMissing,
            QuoteError::Form | QuoteError::NoQuote => QuoteRefusal::QuoteMalformed,
            QuoteError::OtherKey(_) => QuoteRefusal::QuoteWrongKey,
            QuoteError::BadSignature => QuoteRefusal::QuoteBadSignature,
            QuoteError::OtherQuestion => QuoteRefusal::QuoteMismatch,
            QuoteError::OtherValues | QuoteError::NoPcr(_) | QuoteError::Pcr { .. } => QuoteRefusal::PcrMismatch,
        }
    }
}

impl fmt::Display for QuoteRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Verifies the quote in an attestation that was accepted: signed by this key, for this attestation, of these values.
///
/// # Errors
/// [`QuoteError`].
pub fn verify_quote(
    attestation: &Verified,
    key: &AttestationKey,
    expected: &BTreeMap<u8, Digest>,
) -> Result<Quote, QuoteError> {
    let said = attestation.predicate();
    let fact = said.facts.get(FACT).ok_or(QuoteError::Missing)?;
    let quote = Quote::from_fact(fact).ok_or(QuoteError::Form)?;
    if quote.key != *key {
        return Err(QuoteError::OtherKey(quote.key.id()));
    }
    let made = signature(&quote.signature).ok_or(QuoteError::Form)?;
    if !key.verifies(&quote.attested, &made) {
        return Err(QuoteError::BadSignature);
    }
    let attested = Attested::read(&quote.attested).ok_or(QuoteError::NoQuote)?;
    let mut questions = attestation.keys().iter().map(|key| question(*key, said.nonce, &said.run));
    if !questions.any(|question| question.0 == attested.question) {
        return Err(QuoteError::OtherQuestion);
    }
    let values: Vec<u8> = quote.pcrs.values().flat_map(|value| value.0).collect();
    if !quote.pcrs.keys().eq(&attested.pcrs) || sha256(&values).0 != attested.digest {
        return Err(QuoteError::OtherValues);
    }
    for (number, must) in expected {
        let value = *quote.pcrs.get(number).ok_or(QuoteError::NoPcr(*number))?;
        if value != *must {
            return Err(QuoteError::Pcr { number: *number, value });
        }
    }
    Ok(quote)
}
