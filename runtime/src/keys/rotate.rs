//! How does a new key take the place of an old one? The private half is gone then, and what the old one signed still verifies.
//!
//! The order is what a crash can't harm: first the retired public half, then the private key, then its public half. In between the
//! old key is still the one that signs, or the new one already is, and [`mend`] does what is left.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bottle_evidence::key::{PublicKey, SigningKey};
use rustix::fs::FlockOperation;

use super::lease::Lock;
use super::own::{own, retired_file};
use super::{KeyFileError, UnsealError, failed, public_file, stored, text_of};
use crate::clock;
use crate::durable::sync_directory_of;
use crate::tpm::Tpm;

/// What a rotation came to.
pub struct Rotated {
    /// The new key's public half.
    pub key: PublicKey,
    /// The old one's public half, which says when it was retired.
    pub retired: PublicKey,
    /// Where that is.
    pub file: PathBuf,
}

/// Makes a new key in place of the one in this file, sealed as that one is: for the same PCRs, as they are now. Runs that are just
/// starting are waited for, which `waits` is told.
///
/// # Errors
/// [`KeyFileError`]; the old key is then still there, or the new one already is.
pub fn rotate(path: &Path, tpm: Option<&dyn Tpm>, waits: impl FnOnce()) -> Result<Rotated, KeyFileError> {
    let path = &fs::canonicalize(path).map_err(failed(path))?;
    let lock = Lock::take(path, FlockOperation::LockExclusive, waits)?;
    // What it is known by elsewhere would go on being a key.
    if lock.0.metadata().map_err(failed(path))?.nlink() > 1 {
        return Err(KeyFileError::Linked(path.to_owned()));
    }
    let old = stored(&lock.0, path)?;
    let no_tpm = || KeyFileError::Tpm { path: path.to_owned(), source: UnsealError::NoTpm };
    let seal = old.pcrs().map(|pcrs| Ok((tpm.ok_or_else(no_tpm)?, pcrs))).transpose()?;
    let key = SigningKey::generate().map_err(|source| KeyFileError::Key { path: path.to_owned(), source })?;
    let text = text_of(path, &key, seal)?;
    // Whoever has the old key has signed by now, and whoever comes gets the new one.
    let retired = old.public().clone().retired_at(clock::now());
    let file = retired_file(path, retired.id());
    replace(&file, &retired.to_pem(), 0o644)?;
    replace(path, &text, 0o600)?;
    replace(&public_file(path), &key.public().to_pem(), 0o644)?;
    Ok(Rotated { key: key.public().clone(), retired, file })
}

/// Ends a rotation that was interrupted.
///
/// # Errors
/// [`KeyFileError`].
pub fn mend(path: &Path) -> Result<(), KeyFileError> {
    let path = &fs::canonicalize(path).map_err(failed(path))?;
    if is_whole(path)? {
        return Ok(());
    }
    // It may be going on just now.
    let lock = Lock::take(path, FlockOperation::LockExclusive, || ())?;
    let key = stored(&lock.0, path)?;
    match fs::remove_file(retired_file(path, key.public().id())) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(KeyFileError::Write { path: path.to_owned(), source });
        }
        _ => {}
    }
    if is_whole(path)? { Ok(()) } else { replace(&public_file(path), &key.public().to_pem(), 0o644) }
}

/// Whether the key is not retired itself, and has its own public half beside it rather than that of one that is.
fn is_whole(path: &Path) -> Result<bool, KeyFileError> {
    let own = own(path)?;
    let beside = fs::read_to_string(public_file(path)).ok().and_then(|pem| PublicKey::from_pem(&pem).ok());
    let of_retired = beside.is_some_and(|beside| own.retired.iter().any(|(retired, _)| retired.id() == beside.id()));
    Ok(!of_retired && !retired_file(path, own.current.id()).exists())
}

/// Nobody ever sees half of it, and when this returns no crash takes it back.
fn replace(path: &Path, text: &str, mode: u32) -> Result<(), KeyFileError> {
    let mut unfinished = path.to_owned().into_os_string();
    unfinished.push(".new");
    let unfinished = PathBuf::from(unfinished);
    let written = || {
        // Of a rotation that was interrupted: a key that never signed.
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = File::options().write(true).create_new(true).mode(mode).open(&unfinished)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all())?;
        fs::rename(&unfinished, path)?;
        sync_directory_of(path)
    };
    written().map_err(|source| KeyFileError::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::super::{find_or_make, hold, public, read};
    use super::*;

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Place {
            let place = Place(tempfile::tempdir().unwrap());
            find_or_make(&place.key()).unwrap();
            place
        }

        fn key(&self) -> PathBuf {
            self.0.path().join("bottle.key")
        }

        fn names(&self) -> usize {
            fs::read_dir(self.0.path()).unwrap().count()
        }
    }

    #[test]
    fn the_old_key_is_gone_and_known_with_the_moment_of_its_end() {
        let place = Place::new();
        let old = read(&place.key(), None).unwrap();
        let before = clock::now();
        let rotated = rotate(&place.key(), None, || ()).unwrap();
        let own = own(&place.key()).unwrap();
        assert_eq!(own.current, rotated.key);
        assert_eq!(fs::read_to_string(place.0.path().join("bottle.pub")).unwrap(), rotated.key.to_pem());
        let [(retired, file)] = &own.retired[..] else { panic!("{:?}", own.retired) };
        assert_eq!((retired.id(), file), (old.public().id(), &rotated.file));
        assert!(retired.retirement().is_some_and(|at| before <= at && at <= clock::now()));
        assert_eq!(fs::metadata(place.key()).unwrap().mode() & 0o777, 0o600);
        let held =
            fs::read_dir(place.0.path()).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
        assert_eq!(held.filter(|text| text.contains("PRIVATE")).count(), 1, "the old private key is still there");
        assert_eq!(place.names(), 3);
    }

    #[test]
    fn a_key_is_not_retired_while_a_run_begins_with_it() {
        let place = Place::new();
        let lease = hold(&place.key(), None).unwrap();
        let waits = Barrier::new(2);
        std::thread::scope(|scope| {
            let rotating = scope.spawn(|| {
                rotate(&place.key(), None, || {
                    waits.wait();
                })
                .map(|rotated| rotated.retired)
            });
            waits.wait();
            assert_eq!(own(&place.key()).unwrap().retired.len(), 0);
            let signed = clock::now();
            drop(lease);
            let retired = rotating.join().unwrap().unwrap();
            assert!(retired.retirement().is_some_and(|at| at >= signed));
        });
    }

    #[test]
    fn who_waits_for_a_rotation_begins_with_the_new_key() {
        let place = Place::new();
        let lock = Lock::take(&place.key(), FlockOperation::LockExclusive, || ()).unwrap();
        std::thread::scope(|scope| {
            let starting = scope.spawn(|| hold(&place.key(), None).map(|lease| lease.key().public().id()));
            let key = SigningKey::generate().unwrap();
            replace(&place.key(), &key.to_pem(), 0o600).unwrap();
            drop(lock);
            assert_eq!(starting.join().unwrap().unwrap(), key.public().id());
        });
    }

    #[test]
    fn those_who_rotate_at_once_retire_each_key_once() {
        let place = Place::new();
        std::thread::scope(|scope| {
            for rotating in (0..8).map(|_| scope.spawn(|| rotate(&place.key(), None, || ()))).collect::<Vec<_>>() {
                rotating.join().unwrap().unwrap();
            }
        });
        assert_eq!((own(&place.key()).unwrap().retired.len(), place.names()), (8, 10));
    }

    #[test]
    fn what_an_interrupted_rotation_left_is_mended_wherever_it_stopped() {
        let key = SigningKey::generate().unwrap();
        for step in 0..5 {
            let place = Place::new();
            let old = read(&place.key(), None).unwrap();
            let retired = old.public().clone().retired_at(clock::now());
            if step > 0 {
                replace(&retired_file(&place.key(), retired.id()), &retired.to_pem(), 0o644).unwrap();
            }
            if step > 1 {
                fs::write(place.0.path().join("bottle.key.new"), "half a k").unwrap();
            }
            if step > 2 {
                replace(&place.key(), &key.to_pem(), 0o600).unwrap();
            }
            if step > 3 {
                fs::write(place.0.path().join("bottle.pub.new"), "half a k").unwrap();
            }
            let trusted = own(&place.key()).unwrap();
            let unbounded = if step > 2 { &key } else { &old };
            assert_eq!(
                (&trusted.current, trusted.retired.len()),
                (unbounded.public(), usize::from(step > 2)),
                "{step}"
            );
            mend(&place.key()).unwrap();
            assert!(is_whole(&place.key()).unwrap(), "{step}");
            assert_eq!(fs::read_to_string(place.0.path().join("bottle.pub")).unwrap(), unbounded.public().to_pem());
            rotate(&place.key(), None, || ()).unwrap();
            assert_eq!(own(&place.key()).unwrap().retired.len(), 1 + usize::from(step > 2), "{step}");
        }
    }

    #[test]
    fn a_key_with_another_name_is_not_rotated_since_that_would_not_destroy_it() {
        let place = Place::new();
        fs::hard_link(place.key(), place.0.path().join("copy")).unwrap();
        let error = rotate(&place.key(), None, || ()).err().unwrap();
        assert!(matches!(error, KeyFileError::Linked(_)) && error.hint().is_some(), "{error}");
    }

    #[test]
    fn through_a_link_the_key_itself_is_replaced() {
        let place = Place::new();
        let link = place.0.path().join("link.key");
        std::os::unix::fs::symlink(place.key(), &link).unwrap();
        let rotated = rotate(&link, None, || ()).unwrap();
        assert_eq!(public(&place.key()).unwrap(), rotated.key);
        assert_eq!(own(&link).unwrap().retired.len(), 1);
    }
}
