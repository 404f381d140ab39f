//! What does a seal sign? Its own line without the signature, under a domain of its own.
//!
//! That line holds the hash of the line before it, and so all that went before, and the sequence number.

use crate::audit::line::{self, Line};
use crate::audit::{Entry, Seal};
use crate::canonical::{self, NoCanonicalForm};
use crate::digest::Digest;
use crate::key::{KeyId, PublicKey, SigningKey};
use crate::time::Time;

/// What every signed message begins with, so that no seal passes for another kind of signature.
pub const DOMAIN: &str = "bottle audit seal v1\n";

/// A seal's line without its signature, in the order of its canonical form.
#[derive(serde::Serialize)]
struct Unsigned {
    key: KeyId,
    kind: &'static str,
    prev: Digest,
    seq: u64,
    time: Time,
}

fn message(unsigned: &Unsigned) -> Result<Vec<u8>, NoCanonicalForm> {
    let mut bytes = DOMAIN.as_bytes().to_vec();
    bytes.extend(canonical::to_bytes(unsigned)?);
    Ok(bytes)
}

/// The sealing line at this place of a log.
pub(super) fn sign(seq: u64, prev: Digest, time: Time, signer: &SigningKey) -> Result<Line, NoCanonicalForm> {
    let key = signer.public().id();
    let message = message(&Unsigned { key, kind: "seal", prev, seq, time })?;
    Ok(Line { seq, prev, time, entry: Entry::Seal(Seal { key, signature: signer.sign(&message) }) })
}

/// Whether this key made this seal.
pub(crate) fn holds(line: &Line, seal: &Seal, key: &PublicKey) -> bool {
    let line::Line { seq, prev, time, .. } = *line;
    let unsigned = Unsigned { key: seal.key, kind: "seal", prev, seq, time };
    message(&unsigned).is_ok_and(|message| key.verifies(&message, &seal.signature))
}

/// Signatures in lower-case hexadecimal.
pub(super) mod spelling {
    use std::str::FromStr;

    use serde::{Deserializer, Serializer};

    use crate::hex;

    pub(in crate::audit) fn serialize<S: Serializer>(signature: &[u8; 64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(signature))
    }

    pub(in crate::audit) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 64], D::Error> {
        Ok(crate::text::parsed::<Spelled, D>(deserializer)?.0)
    }

    struct Spelled([u8; 64]);

    impl FromStr for Spelled {
        type Err = &'static str;

        fn from_str(text: &str) -> Result<Self, Self::Err> {
            hex::decode(text).map(Spelled).ok_or("not a signature: 128 lower-case hexadecimal digits are expected")
        }
    }
}
