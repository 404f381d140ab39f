//! Images that the tests make: layers written entry by entry, in an OCI layout of which the tools make everything else.

use std::path::{Path, PathBuf};

use bottle_images::Digest;
use serde_json::json;
use tar::{Builder, EntryType, Header};

/// One layer being written.
pub struct Layer(Builder<Vec<u8>>);

impl Layer {
    pub fn new() -> Layer {
        Layer(Builder::new(Vec::new()))
    }

    pub fn add(
        mut self,
        kind: EntryType,
        path: &str,
        (mode, uid, gid): (u32, u64, u64),
        target: &str,
        content: &[u8],
    ) -> Layer {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        header.set_uid(uid);
        header.set_gid(gid);
        header.set_mtime(1_234_567_890);
        if !target.is_empty() {
            header.set_link_name(target).expect("a short target");
        }
        if matches!(kind, EntryType::Char | EntryType::Block) {
            header.set_device_major(1).expect("a device");
            header.set_device_minor(3).expect("a device");
        }
        self.0.append_data(&mut header, path, content).expect("memory");
        self
    }

    pub fn file(self, path: &str, content: &str) -> Layer {
        self.add(EntryType::Regular, path, (0o644, 0, 0), "", content.as_bytes())
    }

    pub fn directory(self, path: &str, mode: u32) -> Layer {
        self.add(EntryType::Directory, path, (mode, 0, 0), "", b"")
    }

    pub fn link(self, path: &str, target: &str) -> Layer {
        self.add(EntryType::Symlink, path, (0o777, 0, 0), target, b"")
    }

    pub fn hard(self, path: &str, target: &str) -> Layer {
        self.add(EntryType::Link, path, (0o644, 0, 0), target, b"")
    }

    pub fn attribute(self, name: &str, value: &[u8]) -> Layer {
        self.records(&[(format!("SCHILY.xattr.{name}"), value)])
    }

    /// Says more of the entry that comes next.
    pub fn records(mut self, records: &[(String, &[u8])]) -> Layer {
        self.0.append_pax_extensions(records.iter().map(|(key, value)| (key.as_str(), *value))).expect("memory");
        self
    }

    pub fn bytes(self) -> Vec<u8> {
        self.0.into_inner().expect("memory")
    }
}

/// How a layer is packed.
#[derive(Clone, Copy)]
pub enum Packed {
    Plain,
    Gzip,
    Zstd,
}

impl Packed {
    pub fn pack(self, bytes: &[u8]) -> (Vec<u8>, &'static str) {
        match self {
            Packed::Plain => (bytes.to_vec(), "application/vnd.oci.image.layer.v1.tar"),
            Packed::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                std::io::Write::write_all(&mut encoder, bytes).expect("memory");
                (encoder.finish().expect("memory"), "application/vnd.oci.image.layer.v1.tar+gzip")
            }
            Packed::Zstd => {
                (zstd::encode_all(bytes, 1).expect("memory"), "application/vnd.oci.image.layer.v1.tar+zstd")
            }
        }
    }
}

/// The architecture of this machine, as OCI spells it.
pub fn machine() -> &'static str {
    if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" }
}

/// The layers of an image, the lowest first.
pub type Layers = Vec<(Vec<u8>, Packed)>;

/// Writes an OCI layout with one image, tagged `t`. Its directory, and the digest of its manifest.
pub fn layout(directory: &Path, layers: Layers) -> (PathBuf, Digest) {
    let (manifest, size) = image(directory, machine(), layers);
    finish(directory, json!({ "mediaType": MANIFEST, "digest": manifest, "size": size }));
    (directory.to_owned(), manifest)
}

/// Writes an OCI layout with an image for each of the architectures, tagged `t`. The digest of their index.
pub fn index(directory: &Path, images: &[(&str, Layers)]) -> Digest {
    let each = images.iter().map(|(architecture, layers)| {
        let (digest, size) = image(directory, architecture, layers.clone());
        json!({ "mediaType": MANIFEST, "digest": digest, "size": size, "platform": { "architecture": architecture, "os": "linux" } })
    });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": each.collect::<Vec<_>>() }).to_string();
    let digest = put(directory, index.as_bytes());
    finish(directory, json!({ "mediaType": INDEX, "digest": digest, "size": index.len() }));
    digest
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn put(directory: &Path, bytes: &[u8]) -> Digest {
    let blobs = directory.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).expect("a directory");
    let digest = Digest::of(bytes);
    std::fs::write(blobs.join(digest.hex()), bytes).expect("a file");
    digest
}

/// The manifest's digest and size in bytes.
fn image(directory: &Path, architecture: &str, layers: Layers) -> (Digest, usize) {
    let (mut descriptors, mut diff_ids) = (Vec::new(), Vec::new());
    for (bytes, packed) in layers {
        let (stored, kind) = packed.pack(&bytes);
        diff_ids.push(Digest::of(&bytes));
        descriptors.push(json!({ "mediaType": kind, "digest": put(directory, &stored), "size": stored.len() }));
    }
    let config =
        json!({ "architecture": architecture, "os": "linux", "config": { "Cmd": ["/bin/sh"], "Env": ["PATH=/bin"] },
        "rootfs": { "type": "layers", "diff_ids": diff_ids } })
        .to_string();
    let kind = "application/vnd.oci.image.config.v1+json";
    let config = json!({ "mediaType": kind, "digest": put(directory, config.as_bytes()), "size": config.len() });
    let manifest =
        json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": descriptors }).to_string();
    (put(directory, manifest.as_bytes()), manifest.len())
}

fn finish(directory: &Path, mut tagged: serde_json::Value) {
    tagged["annotations"] = json!({ "org.opencontainers.image.ref.name": "t" });
    std::fs::write(directory.join("index.json"), json!({ "schemaVersion": 2, "manifests": [tagged] }).to_string())
        .expect("a file");
    std::fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("a file");
}

/// Bytes that no compression makes smaller, the same each time.
pub fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(count + 8);
    while bytes.len() < count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(count);
    bytes
}
