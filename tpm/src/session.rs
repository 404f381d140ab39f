//! Who may have what is sealed for PCRs? Whoever comes while they have those values, which a policy session proves to the TPM.

use sha2::{Digest, Sha256};

use crate::Pcrs;
use crate::command::{Auth, Code};
use crate::connection::Tpm;
use crate::error::TpmError;
use crate::marshal::{Reader, Writer};
use crate::object::{NONE, SHA256, selection};

const START_AUTH_SESSION: Code = Code("StartAuthSession", 0x176);
const POLICY_PCR: Code = Code("PolicyPCR", 0x17f);
const PCR_READ: Code = Code("PCR_Read", 0x17e);
const NULL: u32 = 0x4000_0007;

/// A SHA-256.
pub(crate) type Hash = [u8; 32];

/// The policy that these PCRs have values with this digest: what a session's own comes to that has proved it.
pub(crate) fn policy(pcrs: &Pcrs, values: &Hash) -> Hash {
    let hash = Sha256::new().chain_update([0; 32]).chain_update(POLICY_PCR.1.to_be_bytes());
    hash.chain_update(selection(pcrs)).chain_update(values).finalize().into()
}

/// The digest of several PCRs, as a policy and a quote have it.
pub(crate) fn digest_of(values: &[Hash]) -> Hash {
    values.iter().fold(Sha256::new(), |hash, value| hash.chain_update(value)).finalize().into()
}

impl Tpm {
    /// A session that has proved which values these PCRs have now.
    pub(crate) fn proved(&mut self, pcrs: &Pcrs) -> Result<u32, TpmError> {
        const POLICY: u8 = 1;
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|error| TpmError::Silent {
            command: START_AUTH_SESSION.0,
            source: std::io::Error::other(error),
        })?;
        let parameters = Writer::default().sized(&nonce).sized(&[]).u8(POLICY).u16(NONE).u16(SHA256).done();
        let (session, _nonce) = self.ask(START_AUTH_SESSION, (&[NULL, NULL], Auth::None), &parameters, true)?;
        let parameters = Writer::default().sized(&[]).raw(&selection(pcrs)).done();
        match self.ask(POLICY_PCR, (&[session], Auth::None), &parameters, false) {
            Ok(_) => Ok(session),
            Err(error) => self.having(session, |_| Err(error)),
        }
    }

    /// The values of these PCRs, in their order.
    pub(crate) fn values(&mut self, pcrs: &Pcrs) -> Result<Vec<Hash>, TpmError> {
        pcrs.numbers().iter().map(|number| self.value(*number)).collect()
    }

    fn value(&mut self, number: u8) -> Result<Hash, TpmError> {
        let malformed = || TpmError::Malformed { command: PCR_READ.0 };
        let one = selection(&Pcrs(vec![number]));
        let (_, answer) = self.ask(PCR_READ, (&[], Auth::None), &one, false)?;
        let mut reader = Reader::new(&answer);
        let (_updates, banks) = (reader.u32().ok_or_else(malformed)?, reader.u32().ok_or_else(malformed)?);
        for _ in 0..banks {
            let _bank = reader.u16().ok_or_else(malformed)?;
            let bits = reader.u8().ok_or_else(malformed)?;
            reader.raw(bits.into()).ok_or_else(malformed)?;
        }
        // A TPM that has no such bank, or another PCR than asked for, says so by giving none.
        match reader.u32().ok_or_else(malformed)? {
            1 => reader.sized().and_then(|value| value.try_into().ok()).ok_or_else(malformed),
            _ => Err(TpmError::NoPcr(number)),
        }
    }
}
