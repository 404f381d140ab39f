//! What does a TPM keep for us outside of itself? A secret that it alone gives back, perhaps only while PCRs have the values they have now.

use crate::Pcrs;
use crate::command::{Auth, Code};
use crate::connection::Tpm;
use crate::error::TpmError;
use crate::marshal::{Reader, Writer};
use crate::object::{Loaded, OWNER, sealed_data, sensitive, storage_root};
use crate::session::{digest_of, policy};

const CREATE: Code = Code("Create", 0x153);
const LOAD: Code = Code("Load", 0x157);
const UNSEAL: Code = Code("Unseal", 0x15e);

/// No part of what is sealed is longer.
const MOST: usize = 2048;

/// What a TPM sealed: worth nothing without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its `TPMT_PUBLIC`.
    pub public: Vec<u8>,
    /// Its private part, encrypted by the TPM.
    pub private: Vec<u8>,
    /// The PCRs that it was sealed for; none for whatever values they have.
    pub pcrs: Pcrs,
}

impl Tpm {
    /// Seals up to 128 bytes for these PCRs as they are now, or for whatever they are where none is given.
    ///
    /// # Errors
    /// [`TpmError`].
    pub fn seal(&mut self, secret: &[u8], pcrs: &Pcrs) -> Result<Sealed, TpmError> {
        let policy = match pcrs.numbers() {
            [] => None,
            _ => Some(policy(pcrs, &digest_of(&self.values(pcrs)?))),
        };
        let template = sealed_data(policy.as_ref().map(<[u8; 32]>::as_slice));
        let parameters = Writer::default().sized(&sensitive(secret)).sized(&template).sized(&[]).u32(0).done();
        let root = self.primary(OWNER, &storage_root())?;
        let (_, made) =
            self.having(root.handle, |tpm| tpm.ask(CREATE, (&[root.handle], Auth::Empty), &parameters, false))?;
        let mut reader = Reader::new(&made);
        let parts = reader.sized().zip(reader.sized());
        // What is longer would be kept, and never asked to be given back.
        let parts = parts.filter(|(private, public)| private.len() <= MOST && public.len() <= MOST);
        let (private, public) = parts.ok_or(TpmError::Malformed { command: CREATE.0 })?;
        Ok(Sealed { public: public.to_vec(), private: private.to_vec(), pcrs: pcrs.clone() })
    }

    /// Gives back what was sealed.
    ///
    /// # Errors
    /// [`TpmError::Foreign`] where another TPM sealed it, [`TpmError::Pcrs`] where its PCRs have other values now.
    pub fn unseal(&mut self, sealed: &Sealed) -> Result<Vec<u8>, TpmError> {
        if sealed.public.len() > MOST || sealed.private.len() > MOST {
            return Err(TpmError::Foreign);
        }
        let root = self.primary(OWNER, &storage_root())?;
        let loaded = self.having(root.handle, |tpm| tpm.load(&root, sealed))?;
        let secret = self.having(loaded, |tpm| tpm.unsealed(loaded, &sealed.pcrs))?;
        Ok(secret)
    }

    fn load(&mut self, root: &Loaded, sealed: &Sealed) -> Result<u32, TpmError> {
        let parameters = Writer::default().sized(&sealed.private).sized(&sealed.public).done();
        let loaded = self.ask(LOAD, (&[root.handle], Auth::Empty), &parameters, true);
        // Whatever is wrong with the parts: this TPM never made them so.
        let loaded = loaded.map_err(|error| match error {
            TpmError::Refused { code: 0x080..=0x0bf, .. } => TpmError::Foreign,
            other => other,
        })?;
        Ok(loaded.0)
    }

    fn unsealed(&mut self, loaded: u32, pcrs: &Pcrs) -> Result<Vec<u8>, TpmError> {
        let secret = if pcrs.numbers().is_empty() {
            self.ask(UNSEAL, (&[loaded], Auth::Empty), &[], false)
        } else {
            let session = self.proved(pcrs)?;
            // It ends with the command, unless that is refused.
            let unsealed = self.ask(UNSEAL, (&[loaded], Auth::Session(session)), &[], false);
            unsealed.or_else(|error| self.having(session, |_| Err(error)))
        };
        let (_, answer) = secret?;
        Reader::new(&answer).sized().map(<[u8]>::to_vec).ok_or(TpmError::Malformed { command: UNSEAL.0 })
    }
}
