//! What is going on while an image is had? For whoever shows it to a person; nothing depends on anybody listening.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A name was found to mean this manifest, at this place.
    Resolved {
        /// The name, in full.
        name: String,
        /// The manifest's digest.
        manifest: Digest,
        /// The host or file it comes from.
        from: String,
    },
    /// A blob is being transferred.
    Started {
        /// Which one.
        blob: Digest,
        /// How many bytes it has, where that is known.
        size: Option<u64>,
        /// How many of these were there already, from an earlier attempt.
        resumed: u64,
    },
    /// More bytes of a blob arrived.
    Progress {
        /// Which one.
        blob: Digest,
        /// How many bytes are there now.
        position: u64,
    },
    /// A blob is in the store.
    Stored {
        /// Which one.
        blob: Digest,
        /// Whether it had been there before.
        already: bool,
    },
    /// A transfer broke off and is taken up again.
    Retrying {
        /// Which one.
        blob: Digest,
        /// Why it broke off.
        why: String,
    },
    /// A layer is being unpacked.
    Unpacking {
        /// The digest of its content.
        layer: Digest,
    },
    /// A layer is unpacked.
    Unpacked {
        /// The digest of its content.
        layer: Digest,
        /// Whether it had been before.
        already: bool,
    },
    /// Something that was left out or done in another way: a sentence.
    Note(String),
}

/// Who is told. Called from several threads.
pub type Listener<'a> = &'a (dyn Fn(Event) + Sync);
