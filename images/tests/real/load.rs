//! What comes out of layouts and archives, and what does not.

use std::process::Command;

use bottle_images::{BlobError, LoadError};

use super::made::{Layer, Packed, layout};
use super::place::{Place, tool};

fn layers() -> Vec<(Vec<u8>, Packed)> {
    let first = Layer::new().directory("bin", 0o755).file("bin/tool", "one").bytes();
    let second = Layer::new().directory("etc", 0o755).file("etc/conf", &"two".repeat(10_000)).bytes();
    vec![(first, Packed::Gzip), (second, Packed::Plain)]
}

#[test]
fn a_layout_its_archive_and_dockers_archive_hold_the_same_image() {
    let place = Place::new();
    let (directory, digest) = layout(&place.path("layout"), layers());
    let from = format!("oci:{}:t", directory.display());
    let copy = |to: &str| {
        tool(
            Command::new("skopeo")
                .args(["--insecure-policy", "--tmpdir", "/tmp", "copy", "--quiet", &from, to])
                .current_dir(place.path("")),
        )
    };
    copy("oci-archive:archive.tar:t");
    copy("docker-archive:docker.tar:quay.example/a/b:1");
    tool(Command::new("gzip").arg("-k").arg("docker.tar").current_dir(place.path("")));
    let loaded = place.load("oci:layout:t").unwrap();
    assert_eq!(loaded.image.digest(), digest);
    assert_eq!(place.load("oci:layout").unwrap().image, loaded.image);
    for source in
        ["oci-archive:archive.tar:t", "docker-archive:docker.tar", "docker-archive:docker.tar.gz:quay.example/a/b:1"]
    {
        let other = place.load(source).unwrap_or_else(|error| panic!("{source}: {error:?}"));
        assert_eq!(other.image.diff_ids(), loaded.image.diff_ids(), "{source}");
        assert_eq!(other.image.config(), loaded.image.config(), "{source}");
    }
    assert!(place.store.names().unwrap().contains_key("quay.example/a/b:1"));
    let unpacked = place.unpack(&loaded);
    assert_eq!(std::fs::read(unpacked.layers()[0].join("bin/tool")).unwrap(), b"one");
    assert_eq!((place.count("partial"), place.count("tmp")), (0, 0));
}

#[test]
fn the_image_that_is_not_there_is_told_with_those_that_are() {
    let place = Place::new();
    layout(&place.path("layout"), layers());
    let error = place.load("oci:layout:other").unwrap_err();
    assert!(error.to_string().contains("there are: t"), "{error}");
    assert!(matches!(place.load("oci:nowhere"), Err(LoadError::Read { .. })));
    assert!(matches!(place.load("docker-archive:layout"), Err(LoadError::Read { .. })));
}

#[test]
fn a_blob_that_was_changed_is_not_loaded() {
    let place = Place::new();
    let (directory, _) = layout(&place.path("layout"), layers());
    for blob in std::fs::read_dir(directory.join("blobs/sha256")).unwrap() {
        let path = blob.unwrap().path();
        let whole = std::fs::read(&path).unwrap();
        let mut changed = whole.clone();
        let last = changed.len() - 1;
        changed[last] ^= 1;
        for damaged in [&changed[..], &whole[..last], &[&whole[..], b"x"].concat()] {
            std::fs::write(&path, damaged).unwrap();
            let error = place.load("oci:layout").unwrap_err();
            let is_noticed = matches!(
                error,
                LoadError::Blob(BlobError::Mismatch { .. } | BlobError::Short { .. } | BlobError::TooLong { .. })
            );
            assert!(is_noticed, "{error:?}");
            assert_eq!(place.count("partial"), 0);
        }
        std::fs::write(&path, whole).unwrap();
        assert!(place.store.names().unwrap().is_empty());
    }
    place.load("oci:layout").unwrap();
}

#[test]
fn an_archive_that_is_cut_off_is_not_loaded() {
    let place = Place::new();
    let (directory, _) = layout(&place.path("layout"), layers());
    tool(Command::new("tar").args(["-cf", "../whole.tar", "."]).current_dir(&directory));
    let whole = std::fs::read(place.path("whole.tar")).unwrap();
    std::fs::write(place.path("cut.tar"), &whole[..whole.len() / 2]).unwrap();
    assert!(place.load("oci-archive:cut.tar").is_err());
    assert!(place.store.names().unwrap().is_empty());
    place.load("oci-archive:whole.tar").unwrap();
}
