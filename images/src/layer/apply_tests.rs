//! What entries become, in one layer and upon others.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

use super::*;

/// A layer that is being written.
pub(super) struct Layer(Builder<Vec<u8>>);

impl Layer {
    pub(super) fn new() -> Layer {
        Layer(Builder::new(Vec::new()))
    }

    pub(super) fn add(mut self, kind: EntryType, path: &str, mode: u32, target: &str, content: &[u8]) -> Layer {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        header.set_uid(u64::from(rustix::process::geteuid().as_raw()));
        header.set_gid(u64::from(rustix::process::getegid().as_raw()));
        header.set_mtime(1_000_000_000);
        // The writer refuses what an attacker would write, so names are put in by hand.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    pub(super) fn file(self, path: &str, content: &str) -> Layer {
        self.add(EntryType::Regular, path, 0o644, "", content.as_bytes())
    }

    pub(super) fn directory(self, path: &str, mode: u32) -> Layer {
        self.add(EntryType::Directory, path, mode, "", b"")
    }

    pub(super) fn link(self, path: &str, target: &str) -> Layer {
        self.add(EntryType::Symlink, path, 0o777, target, b"")
    }

    pub(super) fn hard(self, path: &str, target: &str) -> Layer {
        self.add(EntryType::Link, path, 0o644, target, b"")
    }

    pub(super) fn pax(mut self, records: &[(&str, &[u8])]) -> Layer {
        self.0.append_pax_extensions(records.iter().copied()).unwrap();
        self
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

/// A place for layers.
pub(super) struct Place(pub(super) tempfile::TempDir);

impl Place {
    pub(super) fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Unpacks an archive into `name`, upon the layers named.
    pub(super) fn unpack(&self, name: &str, bytes: &[u8], below: Option<&[&str]>) -> Result<Record, LayerError> {
        let (archive, directory) = (self.path(&format!("{name}.tar")), self.path(name));
        std::fs::write(&archive, bytes).unwrap();
        std::fs::create_dir(&directory).unwrap();
        let source = Source {
            file: File::open(archive).unwrap(),
            packing: Packing::Plain,
            packed: bytes.len() as u64,
            diff_id: Digest::of(bytes),
        };
        let options = UnpackOptions::for_uid(rustix::process::geteuid().as_raw());
        let layers: Vec<File> =
            below.unwrap_or_default().iter().map(|name| File::open(self.path(name)).unwrap()).collect();
        let merged = Below { layers: &layers, options };
        let to = File::open(&directory).unwrap().into();
        unpack(source, to, options, below.map(|_| &merged), &Budget::default())
    }

    pub(super) fn fits(&self, record: &Record, below: &[&str]) -> bool {
        let options = UnpackOptions::for_uid(rustix::process::geteuid().as_raw());
        let layers: Vec<File> = below.iter().map(|name| File::open(self.path(name)).unwrap()).collect();
        record.fits(&Below { layers: &layers, options }).unwrap()
    }

    fn stat(&self, path: &str) -> std::fs::Metadata {
        std::fs::symlink_metadata(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn mode(&self, path: &str) -> u32 {
        self.stat(path).mode() & 0o7777
    }

    fn is_whiteout(&self, path: &str) -> bool {
        let stat = self.stat(path);
        stat.file_type().is_char_device() && stat.rdev() == 0
    }

    fn is_opaque(&self, path: &str) -> bool {
        let options = UnpackOptions::for_uid(rustix::process::geteuid().as_raw());
        options.opaque.is_set(File::open(&self.0).unwrap(), Path::new(path).as_os_str().as_encoded_bytes()).unwrap()
    }
}

#[test]
fn modes_times_and_links_are_those_of_the_archive_whatever_the_umask() {
    let place = Place::new();
    let layer = Layer::new()
        .directory("./", 0o751)
        .directory("closed/", 0o555)
        .file("closed/file", "hello")
        .directory("tmp", 0o1777)
        .add(EntryType::Regular, "suid", 0o6755, "", b"x")
        .add(EntryType::Regular, "secret", 0o000, "", b"x")
        .link("link", "/closed/file")
        .hard("hard", "closed/file")
        .add(EntryType::Fifo, "fifo", 0o622, "", b"");
    place.unpack("l", &layer.bytes(), None).unwrap();
    let modes =
        ["l", "l/closed", "l/closed/file", "l/tmp", "l/suid", "l/secret", "l/fifo"].map(|path| place.mode(path));
    assert_eq!(modes, [0o751, 0o555, 0o644, 0o1777, 0o6755, 0, 0o622]);
    for path in ["l", "l/closed", "l/closed/file", "l/link", "l/tmp", "l/fifo"] {
        assert_eq!(place.stat(path).mtime(), 1_000_000_000, "{path}");
    }
    assert_eq!(std::fs::read_link(place.path("l/link")).unwrap(), Path::new("/closed/file"));
    assert_eq!(place.stat("l/hard").ino(), place.stat("l/closed/file").ino());
    assert!(place.stat("l/fifo").file_type().is_fifo());
}

#[test]
fn directories_may_be_listed_after_what_they_hold() {
    let place = Place::new();
    place
        .unpack("l", &Layer::new().file("a/b/c", "x").directory("a/b", 0o500).directory("a", 0o711).bytes(), None)
        .unwrap();
    assert_eq!((place.mode("l/a"), place.mode("l/a/b")), (0o711, 0o500));
    assert_eq!(place.stat("l/a/b").mtime(), 1_000_000_000);
}

#[test]
fn a_later_entry_replaces_an_earlier_one_of_any_type() {
    let place = Place::new();
    let layer = Layer::new()
        .file("a", "old")
        .file("a", "new")
        .directory("b", 0o755)
        .file("b/inner", "x")
        .file("b", "file")
        .link("c", "a")
        .directory("c", 0o755)
        .file("c/inner", "x")
        .file("d", "x")
        .link("d", "a")
        .directory("e", 0o755)
        .file("e/kept", "x")
        .directory("e", 0o700);
    place.unpack("l", &layer.bytes(), None).unwrap();
    assert_eq!(std::fs::read(place.path("l/a")).unwrap(), b"new");
    assert_eq!(std::fs::read(place.path("l/b")).unwrap(), b"file");
    assert!(place.stat("l/c").is_dir() && place.stat("l/d").is_symlink());
    // What this layer had there as no directory hides what is below, so the directory does, too.
    assert!(place.is_opaque("l/c") && !place.is_opaque("l/e"));
    assert!(place.path("l/e/kept").exists() && place.mode("l/e") == 0o700);
}

#[test]
fn what_is_hidden_is_hidden_in_the_way_of_overlayfs() {
    let place = Place::new();
    let layer = Layer::new()
        .directory("d", 0o755)
        .file("d/.wh.gone", "")
        .directory("o", 0o755)
        .file("o/.wh..wh..opq", "")
        .file("o/new", "x")
        .file("o/.wh.old", "")
        .file("both", "x")
        .file(".wh.both", "")
        .file(".wh.again", "")
        .directory("again", 0o755)
        .directory("first", 0o755)
        .file(".wh.first", "");
    let record = place.unpack("l", &layer.bytes(), None).unwrap();
    assert!(place.is_whiteout("l/d/gone"));
    assert!(place.is_opaque("l/o") && place.is_opaque("l/again") && place.is_opaque("l/first"));
    assert!(!place.is_opaque("l/d"));
    // A directory that hides everything needs no whiteouts in it, which would be listed.
    assert!(!place.path("l/o/old").exists() && std::fs::symlink_metadata(place.path("l/o/old")).is_err());
    assert_eq!(std::fs::read(place.path("l/both")).unwrap(), b"x");
    assert_eq!(record.whiteouts, [b"d/gone".to_vec()]);
}

#[test]
fn a_layer_that_says_less_than_the_ones_below_means_what_they_say() {
    let place = Place::new();
    let base = Layer::new()
        .directory("usr", 0o755)
        .directory("usr/bin", 0o755)
        .link("bin", "usr/bin")
        .directory("t", 0o1777)
        .file("t/old", "old");
    place.unpack("base", &base.bytes(), None).unwrap();
    let layer = Layer::new().file("bin/tool", "x").file("t/new", "x").hard("t/second", "t/old").file(".wh.nothing", "");
    assert!(matches!(place.unpack("alone", &layer.bytes(), None), Err(LayerError::NeedsBelow)));
    let layer = Layer::new().file("bin/tool", "x").file("t/new", "x").hard("t/second", "t/old").file(".wh.nothing", "");
    let record = place.unpack("upon", &layer.bytes(), Some(&["base"])).unwrap();
    assert!(place.stat("upon/usr/bin/tool").is_file());
    assert!(std::fs::symlink_metadata(place.path("upon/bin")).is_err());
    assert_eq!((place.mode("upon/t"), place.stat("upon/t").mtime()), (0o1777, 1_000_000_000));
    assert_eq!(std::fs::read(place.path("upon/t/second")).unwrap(), b"old");
    assert_eq!(place.stat("upon/t/second").ino(), place.stat("upon/t/old").ino());
    assert!(record.whiteouts.is_empty() && std::fs::symlink_metadata(place.path("upon/nothing")).is_err());
}

#[test]
fn what_a_sparse_file_does_not_hold_takes_no_room_and_counts_for_nothing() {
    let place = Place::new();
    let (records, content) = sparse("big", 1 << 30);
    let records: Vec<(&str, &[u8])> = records.iter().map(|(key, value)| (*key, value.as_bytes())).collect();
    let base = Layer::new().pax(&records).file("written", content);
    assert_eq!(place.unpack("base", &base.bytes(), None).unwrap().bytes, 4);
    place.unpack("upon", &Layer::new().hard("again", "big").bytes(), Some(&["base"])).unwrap();
    for path in ["base/big", "upon/big", "upon/again"] {
        let file = File::open(place.path(path)).unwrap();
        let mut end = [0; 6];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut end, (1 << 30) - 6).unwrap();
        let stat = place.stat(path);
        assert_eq!((stat.len(), &end), (1 << 30, b"\0\0data"), "{path}");
        assert!(stat.blocks() * 512 < 1 << 20, "{path} takes {} blocks", stat.blocks());
    }
}

/// The records of a file that has these last four bytes, and no others.
fn sparse(name: &str, size: u64) -> ([(&'static str, String); 5], &'static str) {
    let map = format!("{},4", size - 4);
    let numbers = ["0".into(), "1".into(), name.to_owned(), size.to_string(), map];
    let keys = ["GNU.sparse.major", "GNU.sparse.minor", "GNU.sparse.name", "GNU.sparse.size", "GNU.sparse.map"];
    let mut numbers = numbers.into_iter();
    (keys.map(|key| (key, numbers.next().unwrap())), "data")
}

#[test]
fn whether_a_layer_fits_is_known_without_unpacking_it_again() {
    let place = Place::new();
    place.unpack("base", &Layer::new().directory("a", 0o700).link("l", "a").file("f", "x").bytes(), None).unwrap();
    place.unpack("hiding", &Layer::new().file(".wh.a", "").bytes(), None).unwrap();
    let record = |name: &str, layer: Layer| place.unpack(name, &layer.bytes(), None).unwrap();
    let complete =
        record("complete", Layer::new().directory("a", 0o755).file("a/x", "").file("new/y", "").file(".wh.f", ""));
    assert!(place.fits(&complete, &["base"]));
    assert!(!place.fits(&complete, &[]), "its whiteout hides nothing");
    let silent = record("silent", Layer::new().file("a/x", ""));
    assert!(!place.fits(&silent, &["base"]) && place.fits(&silent, &[]) && place.fits(&silent, &["base", "hiding"]));
    let through = record("through", Layer::new().file("l/x", ""));
    assert!(!place.fits(&through, &["base"]));
}

#[test]
fn extended_attributes_are_set_except_those_that_steer_the_overlay() {
    let place = Place::new();
    let layer = Layer::new()
        .pax(&[
            ("SCHILY.xattr.user.note", b"kept"),
            ("SCHILY.xattr.user.overlay.redirect", b"/x"),
            ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
        ])
        .file("f", "x");
    let record = place.unpack("l", &layer.bytes(), None).unwrap();
    let mut value = [0; 16];
    let length = rustix::fs::getxattr(place.path("l/f"), "user.note", &mut value).unwrap();
    assert_eq!(&value[..length], b"kept");
    assert!(rustix::fs::getxattr(place.path("l/f"), "user.overlay.redirect", &mut value).is_err());
    assert_eq!(record.notes.len(), 2, "{:?}", record.notes);
    let told = "the extended attribute trusted.overlay.opaque is left out (f): it would change what the overlay shows";
    assert_eq!(record.notes[0], told);
}

#[test]
fn a_hundred_thousand_files_are_unpacked() {
    let place = Place::new();
    let mut layer = Layer::new();
    for directory in 0..100 {
        layer = layer.directory(&format!("d{directory}"), 0o755);
        for file in 0..1000 {
            layer = layer.file(&format!("d{directory}/f{file}"), "x");
        }
    }
    let bytes = layer.bytes();
    let record = place.unpack("l", &bytes, None).unwrap();
    assert_eq!(record.files, 100_100);
    assert!(place.stat("l").permissions().mode() & 0o777 == 0o755);
}
