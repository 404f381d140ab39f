//! Which keys and objects are made? Each from a template, under a seed of the TPM's, so that the same come out each time.

use crate::Pcrs;
use crate::command::{Auth, Code};
use crate::connection::Tpm;
use crate::error::TpmError;
use crate::marshal::{Reader, Writer};

const CREATE_PRIMARY: Code = Code("CreatePrimary", 0x131);
const FLUSH_CONTEXT: Code = Code("FlushContext", 0x165);

pub(crate) const SHA256: u16 = 0x000b;
pub(crate) const NONE: u16 = 0x0010;
pub(crate) const ECDSA: u16 = 0x0018;
const ECC: u16 = 0x0023;
const P256: u16 = 0x0003;
const AES: u16 = 0x0006;
const CFB: u16 = 0x0043;

/// Of an object's attributes: it never leaves this TPM or its parent, and the TPM itself made its secret.
const FIXED: u32 = 0x0000_0012;
const OWN_SECRET: u32 = 0x0000_0020;
const WITH_PASSWORD: u32 = 0x0000_0040;
/// An empty password can't be guessed, so attempts at it lock nobody out.
const NO_LOCKOUT: u32 = 0x0000_0400;
/// It works on nothing that came from outside.
const RESTRICTED: u32 = 0x0001_0000;
const DECRYPT: u32 = 0x0002_0000;
const SIGN: u32 = 0x0004_0000;

/// Who owns a seed.
#[derive(Clone, Copy)]
pub(crate) struct Hierarchy(&'static str, u32);

/// Whose seed changes when the TPM is given to somebody else.
pub(crate) const OWNER: Hierarchy = Hierarchy("owner", 0x4000_0001);
/// Whose seed is the TPM's own for good.
pub(crate) const ENDORSEMENT: Hierarchy = Hierarchy("endorsement", 0x4000_000b);

/// Something in the TPM's memory, by its handle, and its public part.
pub(crate) struct Loaded {
    pub(crate) handle: u32,
    pub(crate) public: Vec<u8>,
}

/// The storage root key, the one that tpm2-tools make as well: ECC P-256, under which AES-128 wraps what is sealed.
pub(crate) fn storage_root() -> Vec<u8> {
    let attributes = FIXED | OWN_SECRET | WITH_PASSWORD | NO_LOCKOUT | RESTRICTED | DECRYPT;
    let head = Writer::default().u16(ECC).u16(SHA256).u32(attributes).sized(&[]);
    let parameters = head.u16(AES).u16(128).u16(CFB).u16(NONE).u16(P256).u16(NONE);
    parameters.sized(&[]).sized(&[]).done()
}

/// A key that signs what the TPM itself says, and nothing else: ECDSA with P-256 and SHA-256. `unique` makes it bottle's own.
pub(crate) fn attestation_key(unique: &[u8; 32]) -> Vec<u8> {
    let attributes = FIXED | OWN_SECRET | WITH_PASSWORD | NO_LOCKOUT | RESTRICTED | SIGN;
    let head = Writer::default().u16(ECC).u16(SHA256).u32(attributes).sized(&[]);
    let parameters = head.u16(NONE).u16(ECDSA).u16(SHA256).u16(P256).u16(NONE);
    parameters.sized(unique).sized(&[0; 32]).done()
}

/// Data that the TPM gives back: to whom comes with the empty password, or with this policy and else nobody.
pub(crate) fn sealed_data(policy: Option<&[u8]>) -> Vec<u8> {
    const KEYED_HASH: u16 = 0x0008;
    let attributes = FIXED | NO_LOCKOUT | if policy.is_some() { 0 } else { WITH_PASSWORD };
    let head = Writer::default().u16(KEYED_HASH).u16(SHA256).u32(attributes).sized(policy.unwrap_or_default());
    head.u16(NONE).sized(&[]).done()
}

/// The point of a P-256 key's public part.
pub(crate) fn point(public: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut reader = Reader::new(public);
    let (kind, _name, _attributes, _policy) = (reader.u16()?, reader.u16()?, reader.u32()?, reader.sized()?);
    let (_symmetric, _scheme, _hash) = (reader.u16()?, reader.u16()?, reader.u16()?);
    let (curve, _derivation) = (reader.u16()?, reader.u16()?);
    let (x, y) = (reader.sized()?, reader.sized()?);
    (kind == ECC && curve == P256 && x.len() <= 32 && y.len() <= 32 && reader.rest().is_empty()).then_some((x, y))
}

/// A selection of these PCRs, as the TPM writes it.
pub(crate) fn selection(pcrs: &Pcrs) -> Vec<u8> {
    let mut bits = [0_u8; 3];
    pcrs.numbers().iter().for_each(|number| bits[usize::from(number / 8)] |= 1 << (number % 8));
    Writer::default().u32(1).u16(SHA256).u8(3).raw(&bits).done()
}

/// No secret and no password of one's own, or this secret.
pub(crate) fn sensitive(secret: &[u8]) -> Vec<u8> {
    Writer::default().sized(&[]).sized(secret).done()
}

impl Tpm {
    /// Makes a primary key from this template.
    pub(crate) fn primary(&mut self, Hierarchy(name, seed): Hierarchy, template: &[u8]) -> Result<Loaded, TpmError> {
        let parameters = Writer::default().sized(&sensitive(&[])).sized(template).sized(&[]).u32(0).done();
        let answer =
            self.ask(CREATE_PRIMARY, (&[seed], Auth::Empty), &parameters, true).map_err(|error| match error {
                // TPM_RC_AUTH_FAIL, TPM_RC_BAD_AUTH.
                TpmError::Refused { code: 0x08e | 0x0a2, .. } => TpmError::Password { hierarchy: name },
                other => other,
            })?;
        let public = Reader::new(&answer.1).sized().map(<[u8]>::to_vec);
        let public = public.ok_or(TpmError::Malformed { command: CREATE_PRIMARY.0 })?;
        Ok(Loaded { handle: answer.0, public })
    }

    /// Does something with what is loaded, and then has it forgotten, whatever became of that.
    pub(crate) fn having<T>(
        &mut self,
        loaded: u32,
        act: impl FnOnce(&mut Tpm) -> Result<T, TpmError>,
    ) -> Result<T, TpmError> {
        let done = act(self);
        let forgotten = self.ask(FLUSH_CONTEXT, (&[], Auth::None), &loaded.to_be_bytes(), false);
        done.and_then(|done| forgotten.map(|_| done))
    }
}
