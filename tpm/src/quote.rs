//! What does a TPM say of the machine's state? The values of PCRs, and to which question, signed by a key that signs nothing else.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::Pcrs;
use crate::command::{Auth, Code};
use crate::connection::Tpm;
use crate::error::TpmError;
use crate::marshal::{Reader, Writer};
use crate::object::{ENDORSEMENT, NONE, attestation_key, point, selection};
use crate::session::{Hash, digest_of};

const QUOTE: Code = Code("Quote", 0x158);

/// How often PCRs that change just then are read again.
const ATTEMPTS: usize = 8;

/// What a P-256 key's SubjectPublicKeyInfo begins with; the point follows, uncompressed.
const SPKI: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];

/// A quote, and what is needed to judge it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The attestation key's SubjectPublicKeyInfo.
    pub key: Vec<u8>,
    /// What was signed: `TPMS_ATTEST`.
    pub attested: Vec<u8>,
    /// The signature: `TPMT_SIGNATURE`.
    pub signature: Vec<u8>,
    /// The values whose digest is in it.
    pub pcrs: BTreeMap<u8, Hash>,
}

impl Tpm {
    /// The SubjectPublicKeyInfo of the key that signs quotes: the same each time.
    ///
    /// # Errors
    /// [`TpmError`].
    pub fn attestation_key(&mut self) -> Result<Vec<u8>, TpmError> {
        let key = self.primary(ENDORSEMENT, &template())?;
        self.having(key.handle, |_| spki(&key.public))
    }

    /// Quotes these PCRs, with these bytes in the quote.
    ///
    /// # Errors
    /// [`TpmError`].
    pub fn quote(&mut self, qualifying: &[u8; 32], pcrs: &Pcrs) -> Result<Quote, TpmError> {
        let key = self.primary(ENDORSEMENT, &template())?;
        let spki = spki(&key.public);
        let (answer, values) = self.having(key.handle, |tpm| tpm.quoted(key.handle, qualifying, pcrs))?;
        let mut reader = Reader::new(&answer);
        let attested = reader.sized().ok_or(TpmError::Malformed { command: QUOTE.0 })?.to_vec();
        let pcrs = pcrs.numbers().iter().copied().zip(values).collect();
        Ok(Quote { key: spki?, attested, signature: reader.rest().to_vec(), pcrs })
    }

    /// What it answers, and the values that this is of.
    fn quoted(&mut self, key: u32, qualifying: &[u8; 32], pcrs: &Pcrs) -> Result<(Vec<u8>, Vec<Hash>), TpmError> {
        let parameters = Writer::default().sized(qualifying).u16(NONE).raw(&selection(pcrs)).done();
        for _ in 0..ATTEMPTS {
            let values = self.values(pcrs)?;
            let (_, answer) = self.ask(QUOTE, (&[key], Auth::Empty), &parameters, false)?;
            // The last member of what is signed is the digest of the values.
            if Reader::new(&answer).sized().is_some_and(|attested| attested.ends_with(&digest_of(&values))) {
                return Ok((answer, values));
            }
        }
        Err(TpmError::Restless)
    }
}

fn template() -> Vec<u8> {
    attestation_key(&Sha256::digest(b"bottle tpm attestation key v1").into())
}

fn spki(public: &[u8]) -> Result<Vec<u8>, TpmError> {
    let (x, y) = point(public).ok_or(TpmError::Malformed { command: "CreatePrimary" })?;
    let padded = |coordinate: &[u8]| [&[0; 32][coordinate.len()..], coordinate].concat();
    Ok([&SPKI[..], &padded(x), &padded(y)].concat())
}
