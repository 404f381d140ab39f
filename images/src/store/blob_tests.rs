//! What of a blob is stored, and what is kept of one that is not whole.

use super::*;

fn store() -> (tempfile::TempDir, Store) {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(&place.path().join("images")).unwrap();
    (place, store)
}

fn entries(store: &Store, directory: &str) -> usize {
    std::fs::read_dir(store.root.join(directory)).unwrap().count()
}

#[test]
fn a_blob_is_named_only_when_it_is_whole_and_right() {
    let (_place, store) = store();
    let digest = Digest::of(b"hello");
    let mut ingest = store.ingest(digest, Some(5)).unwrap().unwrap();
    ingest.write(b"hel").unwrap();
    assert!(!store.has(&digest));
    ingest.write(b"lo").unwrap();
    ingest.finish().unwrap();
    assert_eq!(store.read_blob(&digest, "it", 10).unwrap(), b"hello");
    assert!(store.ingest(digest, Some(5)).unwrap().is_none());
    assert_eq!(entries(&store, "partial"), 0);
}

#[test]
fn an_attempt_goes_on_where_the_last_one_ended() {
    let (_place, store) = store();
    let digest = Digest::of(b"hello");
    let mut first = store.ingest(digest, Some(5)).unwrap().unwrap();
    first.write(b"hel").unwrap();
    drop(first);
    let mut second = store.ingest(digest, Some(5)).unwrap().unwrap();
    assert_eq!(second.position(), 3);
    second.write(b"lo").unwrap();
    second.finish().unwrap();
    assert!(store.has(&digest));
}

#[test]
fn what_is_not_what_it_was_to_be_is_not_kept() {
    let (_place, store) = store();
    let digest = Digest::of(b"hello");
    let mut ingest = store.ingest(digest, Some(5)).unwrap().unwrap();
    ingest.write(b"hallo").unwrap();
    assert!(matches!(ingest.finish(), Err(BlobError::Mismatch { .. })));
    assert_eq!((entries(&store, "partial"), entries(&store, "blobs/sha256")), (0, 0));
    let mut ingest = store.ingest(digest, Some(5)).unwrap().unwrap();
    assert!(matches!(ingest.write(b"hello!"), Err(BlobError::TooLong { size: 5, .. })));
    ingest.write(b"hel").unwrap();
    assert!(matches!(ingest.finish(), Err(BlobError::Short { got: 3, .. })));
    assert_eq!((entries(&store, "partial"), entries(&store, "blobs/sha256")), (0, 0));
}

#[test]
fn who_comes_while_a_blob_is_written_waits_and_finds_it() {
    let (_place, store) = store();
    let digest = Digest::of(b"hello");
    let mut first = store.ingest(digest, Some(5)).unwrap().unwrap();
    std::thread::scope(|scope| {
        let second = scope.spawn(|| store.ingest(digest, Some(5)).unwrap().is_none());
        first.write(b"hello").unwrap();
        first.finish().unwrap();
        assert!(second.join().unwrap());
    });
}

#[test]
fn an_unnamed_blob_is_named_by_its_digest() {
    let (_place, store) = store();
    for _ in 0..2 {
        assert_eq!(store.ingest_unnamed(&b"hello"[..]).unwrap(), (Digest::of(b"hello"), 5));
    }
    assert_eq!(store.put(b"hello").unwrap(), Digest::of(b"hello"));
    assert_eq!((entries(&store, "blobs/sha256"), entries(&store, "tmp")), (1, 0));
}

#[test]
fn a_blob_that_was_changed_in_the_store_is_noticed() {
    let (_place, store) = store();
    let digest = store.put(b"hello").unwrap();
    std::fs::write(store.blob_path(&digest), b"hallo").unwrap();
    assert!(matches!(store.read_blob(&digest, "it", 10), Err(BlobError::Mismatch { .. })));
}
