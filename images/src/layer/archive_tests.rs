//! What the reader of archives takes and refuses, against the `tar` crate's writer and GNU tar.

use std::io::Write;
use std::process::Command;

use proptest::prelude::*;
use tar::{Builder, EntryType, Header};

use super::*;

fn header(kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o4755);
    header.set_uid(7);
    header.set_gid(8);
    header.set_mtime(1_000_000_000);
    header
}

fn read_all(bytes: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, ArchiveError> {
    let mut archive = Archive::new(bytes);
    let mut entries = Vec::new();
    while let Some(entry) = archive.next()? {
        let (mut content, mut buffer) = (Vec::new(), [0; 700]);
        loop {
            match archive.read(&mut buffer)? {
                0 => break,
                count => content.extend_from_slice(&buffer[..count]),
            }
        }
        entries.push((entry, content));
    }
    Ok(entries)
}

#[test]
fn files_links_and_long_names_are_read() {
    let mut builder = Builder::new(Vec::new());
    let long = format!("{}/file", "d".repeat(200));
    builder.append_data(&mut header(EntryType::Regular, 5), &long, &b"hello"[..]).unwrap();
    builder.append_link(&mut header(EntryType::Link, 0), "hard", &long).unwrap();
    builder.append_link(&mut header(EntryType::Symlink, 0), "soft", "../../etc/passwd").unwrap();
    let entries = read_all(&builder.into_inner().unwrap()).unwrap();
    let (file, content) = &entries[0];
    assert_eq!((file.path.as_slice(), content.as_slice()), (long.as_bytes(), &b"hello"[..]));
    assert_eq!((file.mode, file.uid, file.gid, file.mtime.seconds), (0o4755, 7, 8, 1_000_000_000));
    assert_eq!(entries[1].0.kind, Kind::HardLink(long.into_bytes()));
    assert_eq!(entries[2].0.kind, Kind::SymbolicLink(b"../../etc/passwd".to_vec()));
}

/// chown(2) takes the last number for one that is to stay as it is.
#[test]
fn an_owner_that_no_file_can_have_is_refused() {
    type Own = fn(&mut Header, u64);
    let (owner, group): (Own, Own) = (Header::set_uid, Header::set_gid);
    for set in [owner, group] {
        for id in [u64::from(u32::MAX), u64::from(u32::MAX) + 1] {
            let mut builder = Builder::new(Vec::new());
            let mut header = header(EntryType::Regular, 0);
            set(&mut header, id);
            builder.append_data(&mut header, "a", &b""[..]).unwrap();
            let read = read_all(&builder.into_inner().unwrap());
            assert!(matches!(read, Err(ArchiveError::Header("an owner"))), "{id}: {read:?}");
        }
    }
    for key in ["uid", "gid"] {
        let mut builder = Builder::new(Vec::new());
        builder.append_pax_extensions([(key, &b"4294967295"[..])]).unwrap();
        builder.append_data(&mut header(EntryType::Regular, 0), "a", &b""[..]).unwrap();
        assert!(read_all(&builder.into_inner().unwrap()).is_err(), "{key}");
    }
}

#[test]
fn extended_headers_apply_to_one_entry_and_global_ones_to_none() {
    let mut builder = Builder::new(Vec::new());
    let mut global = header(EntryType::XGlobalHeader, 13);
    builder.append_data(&mut global, "pax_global_header", &b"13 path=oops\n"[..]).unwrap();
    builder.append_pax_extensions([("SCHILY.xattr.user.k", &b"v"[..]), ("mtime", b"5.25")]).unwrap();
    builder.append_data(&mut header(EntryType::Regular, 0), "a", &b""[..]).unwrap();
    builder.append_data(&mut header(EntryType::Regular, 0), "b", &b""[..]).unwrap();
    let entries = read_all(&builder.into_inner().unwrap()).unwrap();
    assert_eq!(entries[0].0.path, b"a");
    assert_eq!(entries[0].0.mtime, Time { seconds: 5, nanoseconds: 250_000_000 });
    assert_eq!(entries[0].0.xattrs, [(b"user.k".to_vec(), b"v".to_vec())]);
    assert_eq!((entries[1].0.path.as_slice(), entries[1].0.xattrs.len()), (&b"b"[..], 0));
}

/// As GNU tar writes it, in each of its formats.
#[test]
fn sparse_files_of_gnu_tar_are_read() {
    let place = tempfile::tempdir().unwrap();
    let mut file = std::fs::File::create(place.path().join("sparse")).unwrap();
    for at in [0, 1 << 20, 3 << 20, 5 << 20, 7 << 20, 9 << 20] {
        std::io::Seek::seek(&mut file, io::SeekFrom::Start(at)).unwrap();
        file.write_all(b"data").unwrap();
    }
    file.set_len(20 << 20).unwrap();
    for format in [
        &["--format=gnu"][..],
        &["--format=pax", "--sparse-version=0.0"],
        &["--format=pax", "--sparse-version=0.1"],
        &["--format=pax", "--sparse-version=1.0"],
    ] {
        let output =
            Command::new("tar").current_dir(&place).args(format).args(["--sparse", "-c", "sparse"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let entries = read_all(&output.stdout).unwrap();
        let [(entry, content)] = &entries[..] else { panic!("{format:?}: {entries:?}") };
        let Kind::File { size, pieces: Some(pieces) } = &entry.kind else { panic!("{format:?}: {entry:?}") };
        assert_eq!((*size, entry.path.as_slice()), (20 << 20, &b"sparse"[..]), "{format:?}");
        assert!(pieces.len() >= 6 && content.len() < 1 << 20, "{format:?}: {pieces:?}");
        assert_eq!(entry::stored(pieces), content.len() as u64);
    }
}

fn one_file() -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    builder.append_data(&mut header(EntryType::Regular, 600), "a", &[7; 600][..]).unwrap();
    builder.into_inner().unwrap()
}

#[test]
fn an_archive_that_ends_early_is_told_from_a_whole_one() {
    let whole = one_file();
    assert!(read_all(&whole).is_ok());
    for cut in [1, 511, 513, 1111, 1535] {
        assert!(matches!(read_all(&whole[..cut]), Err(ArchiveError::Truncated)), "{cut}");
    }
    // Without its closing blocks it is taken, as everywhere; the digest says whether something is missing.
    assert!(read_all(&whole[..1536]).is_ok());
}

#[test]
fn what_follows_the_end_and_what_is_no_archive_is_refused() {
    let mut garbage = one_file();
    garbage.extend(vec![0; 10240]);
    assert!(read_all(&garbage).is_ok());
    garbage.push(1);
    assert!(matches!(read_all(&garbage), Err(ArchiveError::Garbage)));
    assert!(matches!(read_all(&[b'x'; 512]), Err(ArchiveError::Checksum)));
}

#[test]
fn headers_without_end_and_unknown_types_are_refused() {
    let mut large = header(EntryType::XHeader, 1 << 40);
    large.set_path("x").unwrap();
    large.set_cksum();
    assert!(matches!(read_all(large.as_bytes()), Err(ArchiveError::TooLong { .. })));
    let mut odd = header(EntryType::new(b'Q'), 0);
    odd.set_path("x").unwrap();
    odd.set_cksum();
    assert!(matches!(read_all(odd.as_bytes()), Err(ArchiveError::Type(b'Q'))));
}

#[test]
fn numbers_are_read_in_all_their_forms() {
    assert_eq!(signed(b"0000755\0"), Some(0o755));
    assert_eq!(signed(b"   755 \0"), Some(0o755));
    assert_eq!(signed(b"\0\0\0\0"), Some(0));
    assert_eq!(signed(&[0x80, 0, 0, 2, 0, 0, 0, 0]), Some(0x2_0000_0000));
    assert_eq!(signed(&[0xff; 12]), Some(-1));
    assert_eq!((signed(b"9"), signed(b"7777777777777777777777777")), (None, None));
    assert_eq!(signed(&[0xbf; 12]), None);
}

proptest! {
    #[test]
    fn any_change_of_a_byte_is_read_or_refused(at in 0_usize..1024, byte in any::<u8>(), fix in any::<bool>()) {
        let mut bytes = one_file();
        bytes[at] = byte;
        if fix {
            let mut changed = Header::new_old();
            changed.as_mut_bytes().copy_from_slice(&bytes[..512]);
            changed.set_cksum();
            bytes[..512].copy_from_slice(changed.as_bytes());
        }
        let _ = read_all(&bytes);
    }
}
