//! What a hostile layer can't do: each ends with an error or stays inside, and nothing outside is touched.

use tar::EntryType;

use super::apply_tests::{Layer, Place};
use super::*;

/// Unpacks beside a directory that an attacker would like to reach; it must be as it was.
fn unpack(layer: Layer) -> (Place, Result<Record, LayerError>) {
    let place = Place::new();
    std::fs::create_dir(place.path("outside")).unwrap();
    std::fs::write(place.path("outside/file"), "untouched").unwrap();
    let outcome = place.unpack("l", &layer.bytes(), Some(&[]));
    let listed: Vec<_> =
        std::fs::read_dir(place.path("outside")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(listed, ["file"]);
    assert_eq!(std::fs::read(place.path("outside/file")).unwrap(), b"untouched");
    let beside = std::fs::read_dir(&place.0).unwrap().count();
    assert_eq!(beside, 3, "something lies beside the layer");
    (place, outcome)
}

#[test]
fn names_that_lead_up_are_refused() {
    for path in ["../outside/new", "a/../../outside/new", "/../outside/new", ".."] {
        let (_, outcome) = unpack(Layer::new().file(path, "x"));
        assert!(matches!(outcome, Err(LayerError::Entry { .. })), "{path}: {outcome:?}");
        assert!(matches!(unpack(Layer::new().hard("a", path)).1, Err(LayerError::Entry { .. })), "{path}");
    }
}

#[test]
fn absolute_names_are_names_in_the_layer() {
    let (place, outcome) = unpack(Layer::new().file("/etc/new", "x").hard("/hard", "/etc/new"));
    outcome.unwrap();
    assert!(place.path("l/etc/new").exists() && place.path("l/hard").exists());
}

#[test]
fn links_that_lead_out_lead_to_the_layers_own_root() {
    let place = Place::new();
    let outside = place.path("outside");
    drop(place);
    for target in [
        "../../outside",
        "../../../../../../../..",
        "/proc/self/root",
        "/proc/self/cwd/../outside",
        outside.to_str().unwrap(),
    ] {
        let layer = Layer::new()
            .link("way", target)
            .file("way/new", "x")
            .add(EntryType::Directory, "way/dir", 0o777, "", b"")
            .file("way/.wh.file", "");
        let (_, outcome) = unpack(layer);
        assert!(outcome.is_ok(), "{target}: {outcome:?}");
    }
}

#[test]
fn a_link_is_replaced_and_not_written_through() {
    let (place, outcome) = unpack(Layer::new().link("file", "../outside/file").file("file", "mine"));
    outcome.unwrap();
    assert_eq!(std::fs::read(place.path("l/file")).unwrap(), b"mine");
    let (_, outcome) = unpack(Layer::new().link("d", "../outside").directory("d", 0o777));
    outcome.unwrap();
}

#[test]
fn hard_links_reach_nothing_outside() {
    assert!(matches!(unpack(Layer::new().hard("a", "outside/file")).1, Err(LayerError::Entry { .. })));
    let (_, outcome) = unpack(Layer::new().link("way", "../outside").hard("a", "way/file"));
    assert!(matches!(outcome, Err(LayerError::Entry { .. })), "{outcome:?}");
    let (_, outcome) = unpack(Layer::new().directory("d", 0o755).hard("a", "d"));
    assert!(matches!(outcome, Err(LayerError::Entry { .. })), "{outcome:?}");
}

#[test]
fn loops_of_links_and_files_in_the_way_are_refused() {
    let (_, outcome) = unpack(Layer::new().link("a", "b").link("b", "a").file("a/x", "x"));
    assert!(matches!(outcome, Err(LayerError::Entry { .. })), "{outcome:?}");
    let (_, outcome) = unpack(Layer::new().file("a", "x").file("a/b", "x"));
    assert!(matches!(outcome, Err(LayerError::Entry { .. })), "{outcome:?}");
    assert!(unpack(Layer::new().file("./", "x")).1.is_err());
}

#[test]
fn whiteouts_hide_neither_the_directory_nor_the_one_above() {
    for path in [".wh..", ".wh...", "a/.wh.."] {
        assert!(
            matches!(unpack(Layer::new().directory("a", 0o755).file(path, "")).1, Err(LayerError::Entry { .. })),
            "{path}"
        );
    }
}

#[test]
fn a_device_that_would_hide_files_is_left_out() {
    let (place, outcome) = unpack(Layer::new().add(EntryType::Char, "null", 0o666, "", b""));
    assert_eq!(outcome.unwrap().notes.len(), 1);
    assert!(std::fs::symlink_metadata(place.path("l/null")).is_err());
}

#[test]
fn more_devices_than_any_image_has_are_refused() {
    let mut layer = Layer::new();
    for number in 0..=crate::limits::DEVICES {
        layer = layer.add(EntryType::Fifo, &format!("f{number}"), 0o600, "", b"");
    }
    assert!(matches!(unpack(layer).1, Err(LayerError::TooMuch { .. })));
}

fn packed(bytes: Vec<u8>, packing: Packing, diff_id: Digest) -> Result<Record, LayerError> {
    within(&Budget::default(), bytes, packing, diff_id)
}

fn within(budget: &Budget, bytes: Vec<u8>, packing: Packing, diff_id: Digest) -> Result<Record, LayerError> {
    let place = Place::new();
    std::fs::write(place.path("blob"), &bytes).unwrap();
    std::fs::create_dir(place.path("l")).unwrap();
    let source = Source { file: File::open(place.path("blob")).unwrap(), packing, packed: bytes.len() as u64, diff_id };
    let options = UnpackOptions::for_uid(rustix::process::geteuid().as_raw());
    super::unpack(source, File::open(place.path("l")).unwrap().into(), options, None, budget)
}

/// What the layers beside it have taken counts.
#[test]
fn an_image_of_more_files_or_bytes_than_it_may_have_is_refused() {
    let layer = Layer::new().file("a", "x").bytes();
    let unpack = |budget: &Budget| within(budget, layer.clone(), Packing::Plain, Digest::of(&layer));
    for (files, bytes, much) in [(crate::limits::FILES, 0, "files"), (0, crate::limits::UNPACKED, "bytes")] {
        let budget = Budget::default();
        budget.files(files).and(budget.bytes(bytes)).unwrap();
        let outcome = unpack(&budget);
        assert!(matches!(outcome, Err(LayerError::TooMuch { what, .. }) if what == much), "{outcome:?}");
    }
    let budget = Budget::default();
    budget.files(crate::limits::FILES - 1).unwrap();
    unpack(&budget).unwrap();
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn packed_layers_are_unpacked_and_what_is_not_theirs_is_refused() {
    let tar = Layer::new().file("a", &"hello ".repeat(10_000)).bytes();
    let digest = Digest::of(&tar);
    let (gzipped, zstandard) = (gzip(&tar), zstd::encode_all(&tar[..], 3).unwrap());
    assert!(packed(gzipped.clone(), Packing::Gzip, digest).is_ok());
    assert!(packed(zstandard.clone(), Packing::Zstd, digest).is_ok());
    for (bytes, packing) in [(gzipped, Packing::Gzip), (zstandard, Packing::Zstd)] {
        let outcome = packed(bytes[..bytes.len() / 2].to_vec(), packing, digest);
        assert!(matches!(outcome, Err(LayerError::Packed(_))), "{packing:?}: {outcome:?}");
        let outcome = packed([&bytes[..], b"garbage"].concat(), packing, digest);
        assert!(matches!(outcome, Err(LayerError::Packed(_))), "{packing:?}: {outcome:?}");
        let outcome = packed(bytes.clone(), packing, Digest::of(b"other"));
        assert!(matches!(outcome, Err(LayerError::Mismatch { .. })), "{packing:?}: {outcome:?}");
        assert!(packed(bytes, Packing::Plain, digest).is_err());
    }
    let garbage = [&tar[..], b"garbage"].concat();
    let outcome = packed(garbage.clone(), Packing::Plain, Digest::of(&garbage));
    assert!(matches!(outcome, Err(LayerError::Archive(ArchiveError::Garbage))), "{outcome:?}");
}

#[test]
fn a_bomb_is_stopped() {
    // 2 GiB of zeros in 2 MiB, as many members of 64 MiB.
    let member = gzip(&vec![0; 64 << 20]);
    let bytes = member.repeat(32);
    let place = Place::new();
    std::fs::write(place.path("blob"), &bytes).unwrap();
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    let file = File::open(place.path("blob")).unwrap();
    let reader = std::thread::spawn(move || receiver.iter().map(|piece: Vec<u8>| piece.len() as u64).sum::<u64>());
    let outcome = stream::produce(file, (Packing::Gzip, bytes.len() as u64), &Budget::default(), &sender);
    drop(sender);
    assert!(matches!(outcome, Err(LayerError::Bomb { .. })), "{outcome:?}");
    assert!(reader.join().unwrap() <= crate::limits::RATIO_FREE + (1 << 20));
}

#[test]
fn a_sparse_file_may_not_claim_more_than_an_image_may_have() {
    let layer = Layer::new()
        .pax(&[("GNU.sparse.map", b"0,1"), ("GNU.sparse.size", b"99999999999999"), ("GNU.sparse.name", b"s")])
        .file("x", "x");
    assert!(matches!(unpack(layer).1, Err(LayerError::TooMuch { .. })));
    let layer = Layer::new().pax(&[("GNU.sparse.map", b"0,1,0,1"), ("GNU.sparse.size", b"9")]).file("x", "xx");
    assert!(matches!(unpack(layer).1, Err(LayerError::Archive(_))));
}
