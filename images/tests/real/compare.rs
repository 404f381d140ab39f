//! Is the tree of an image that has something special the one that umoci makes of it?

use std::process::Command;

use tar::EntryType;

use super::made::{Layer, Packed, layout};
use super::place::{Place, is_root, tool};
use super::tree::{by_umoci, merged, same};

fn ours(place: &Place, layers: Vec<(Vec<u8>, Packed)>) -> (String, std::path::PathBuf) {
    let (directory, _) = layout(&place.path("layout"), layers);
    let unpacked = place.unpack(&place.load("oci:layout").unwrap());
    (merged(place, unpacked.layers()), directory)
}

fn compare(layers: Vec<(Vec<u8>, Packed)>) {
    let place = Place::new();
    let (ours, directory) = ours(&place, layers);
    let theirs = by_umoci(&place, &directory);
    same(&ours, &theirs);
}

#[test]
fn files_of_every_kind_are_the_same() {
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(200));
    let mut base = Layer::new()
        .directory("./", 0o755)
        .directory("tmp", 0o1777)
        .directory("closed", 0o700)
        .file("closed/file", "x")
        .add(EntryType::Regular, "suid", (0o4755, 0, 0), "", b"x")
        .add(EntryType::Regular, "owned", (0o640, 33, 42), "", b"x")
        .add(EntryType::Directory, "their", (0o2775, 1000, 50), "", b"")
        .add(EntryType::Regular, "secret", (0o000, 0, 0), "", b"x")
        .file(&long, "long")
        .link("link", "/closed/file")
        .add(EntryType::Symlink, "theirs", (0o777, 7, 8), "nowhere", b"")
        .hard("hard", "closed/file")
        .add(EntryType::Fifo, "fifo", (0o622, 0, 0), "", b"")
        .attribute("user.note", b"kept\0too")
        .file("noted", "x");
    if is_root() {
        let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        base = base
            .add(EntryType::Char, "null", (0o666, 0, 0), "", b"")
            .add(EntryType::Block, "disk", (0o660, 0, 6), "", b"")
            .attribute("security.capability", &capability)
            .file("ping", "x");
    }
    compare(vec![(base.bytes(), Packed::Gzip)]);
}

#[test]
fn a_hundred_thousand_files_are_all_there() {
    let directories = (0..100).map(|number| format!("d{number:02}"));
    let layer = directories.fold(Layer::new().directory("./", 0o755), |layer, directory| {
        let files = (0..1000).map(|number| format!("{directory}/f{number:03}"));
        files.fold(layer.directory(&directory, 0o755), |layer, path| layer.file(&path, &path))
    });
    let place = Place::new();
    let (tree, _) = ours(&place, vec![(layer.bytes(), Packed::Zstd)]);
    // umoci needs minutes for as many, and is asked about each kind of them above.
    let named = tree.lines().filter(|line| line.contains("/f")).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(named.len(), 100_000);
}

#[test]
fn what_layers_hide_and_replace_is_the_same() {
    let base = Layer::new()
        .directory("a", 0o755)
        .file("a/gone", "x")
        .file("a/kept", "x")
        .directory("b", 0o755)
        .file("b/hidden", "x")
        .directory("b/deep", 0o755)
        .file("b/deep/hidden", "x")
        .directory("c", 0o755)
        .file("c/x", "x")
        .file("d", "file")
        .link("e", "a")
        .directory("f", 0o755)
        .file("f/x", "x")
        .file("h1", "x")
        .hard("h2", "h1");
    let above = Layer::new()
        .directory("a", 0o711)
        .file("a/.wh.gone", "")
        .directory("b", 0o755)
        .file("b/.wh..wh..opq", "")
        .file("b/new", "x")
        .file("b/.wh.hidden", "")
        .file("c", "now a file")
        .directory("d", 0o700)
        .file("d/in", "x")
        .directory("e", 0o755)
        .file("e/own", "x")
        .file(".wh.f", "")
        .file("h1", "changed");
    let top = Layer::new()
        .directory("f", 0o755)
        .file("f/again", "x")
        .file(".wh.d", "")
        .directory("b", 0o755)
        .file("b/.wh.new", "")
        .file("b/last", "x");
    compare(vec![(base.bytes(), Packed::Gzip), (above.bytes(), Packed::Plain), (top.bytes(), Packed::Gzip)]);
}

#[test]
fn a_layer_that_hides_all_below_it_is_the_same_whether_it_mentions_the_root_or_not() {
    let base = || Layer::new().directory("./", 0o711).file("gone", "x").directory("d", 0o700).file("d/gone", "x");
    let hiding =
        |layer: Layer| layer.file(".wh..wh..opq", "").file("new", "x").directory("d", 0o755).file("d/new", "x");
    let top = || (Layer::new().file("top", "x").file(".wh.new", "").bytes(), Packed::Plain);
    for above in [Layer::new(), Layer::new().directory("./", 0o755)] {
        compare(vec![(base().bytes(), Packed::Gzip), (hiding(above).bytes(), Packed::Gzip), top()]);
    }
}

#[test]
fn layers_that_mention_no_directories_are_the_same() {
    let base = Layer::new()
        .directory("usr", 0o755)
        .directory("usr/bin", 0o711)
        .file("usr/bin/old", "x")
        .link("bin", "usr/bin")
        .link("abs", "/usr/bin")
        .link("up", "../../../usr")
        .directory("tmp", 0o1777);
    let above = Layer::new()
        .file("bin/new", "x")
        .file("abs/second", "x")
        .file("up/third", "x")
        .file("tmp/file", "x")
        .hard("usr/linked", "usr/bin/old")
        .file("bin/.wh.old", "")
        .file("way/to/new", "x");
    compare(vec![(base.bytes(), Packed::Gzip), (above.bytes(), Packed::Gzip)]);
}

#[test]
fn sparse_files_are_the_same_whoever_wrote_them() {
    let place = Place::new();
    let file = std::fs::File::create(place.path("sparse")).unwrap();
    for at in [0, 3 << 20, 9 << 20] {
        std::os::unix::fs::FileExt::write_all_at(&file, b"data", at).unwrap();
    }
    file.set_len(12 << 20).unwrap();
    let [gnu, old, pax] =
        [&["--format=gnu"][..], &["--format=pax", "--sparse-version=0.1"], &["--format=pax"]].map(|format| {
            let mut command = Command::new("tar");
            command.current_dir(place.path("")).args(format);
            command.args(["--owner=0", "--group=0", "--mtime=@1000000000", "--sparse", "-c", "sparse"]);
            (tool(&mut command).stdout, Packed::Gzip)
        });
    // umoci knows only one of the forms; the others must give the same file.
    let expected = ours(&Place::new(), vec![pax.clone()]).0;
    assert!(expected.contains(&(12 << 20).to_string()), "{expected}");
    compare(vec![pax]);
    for other in [gnu, old] {
        assert_eq!(ours(&Place::new(), vec![other]).0, expected);
    }
}
