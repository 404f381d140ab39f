//! What does one entry of an archive say?

/// A file, link or directory to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// As written: perhaps with a leading slash, `./`, or a slash at the end.
    pub(crate) path: Vec<u8>,
    pub(crate) kind: Kind,
    /// Permission bits with setuid, setgid and sticky.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: Time,
    /// Extended attributes in the order written.
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What kind of thing an entry is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Directory,
    /// A regular file of so many bytes; all of them follow, or only some pieces.
    File {
        size: u64,
        pieces: Option<Vec<Piece>>,
    },
    /// Another name for a file of the image.
    HardLink(Vec<u8>),
    SymbolicLink(Vec<u8>),
    Character {
        major: u32,
        minor: u32,
    },
    Block {
        major: u32,
        minor: u32,
    },
    Fifo,
}

/// A part of a sparse file that is not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// Seconds since 1970, and nanoseconds below a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Time {
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: u32,
}

/// The pieces of a sparse file must lie in it, in order.
pub(crate) fn fit(pieces: &[Piece], size: u64) -> bool {
    let mut end = 0;
    pieces.iter().all(|piece| {
        let fits = piece.offset >= end;
        match piece.offset.checked_add(piece.length) {
            Some(next) if fits && next <= size => {
                end = next;
                true
            }
            _ => false,
        }
    })
}

/// How many bytes of all pieces follow in the archive.
pub(crate) fn stored(pieces: &[Piece]) -> u64 {
    pieces.iter().map(|piece| piece.length).sum()
}
