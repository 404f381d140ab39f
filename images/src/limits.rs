//! How large may an image be? What passes one of these is refused before it is stored or unpacked.

/// Bytes of a manifest or an index. Registries refuse larger ones themselves.
pub const MANIFEST: u64 = 4 << 20;

/// Bytes of an image's configuration.
pub const CONFIG: u64 = 8 << 20;

/// Bytes of any other answer of a registry: tokens, errors.
pub const ANSWER: u64 = 1 << 20;

/// Layers of an image: the kernel's overlay takes 500 lower directories.
pub const LAYERS: usize = 500;

/// Bytes of one blob as it is transferred.
pub const BLOB: u64 = 64 << 30;

/// Bytes that all layers of an image unpack to.
pub const UNPACKED: u64 = 128 << 30;

/// Bytes that a layer may unpack to for each byte that was transferred, above [`RATIO_FREE`]. Deflate reaches 1032 on zeros.
pub const RATIO: u64 = 200;

/// Bytes that any layer may unpack to, however small it is.
pub const RATIO_FREE: u64 = 1 << 30;

/// Files, links and directories of all layers of an image.
pub const FILES: u64 = 2_000_000;

/// Device nodes and FIFOs of an image.
pub const DEVICES: u64 = 4096;

/// Bytes of a path or of what a symbolic link says, as the kernel takes them with their NUL.
pub const PATH: usize = 4095;

/// Bytes of the extended headers of one entry: long names, extended attributes, maps of sparse files.
pub const HEADERS: u64 = 4 << 20;

/// Pieces of a sparse file.
pub const SPARSE: usize = 200_000;

/// Entries of an archive that holds an image.
pub const ARCHIVE_ENTRIES: usize = 100_000;
