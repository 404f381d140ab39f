//! Who is the user that an image names? As the image's own passwd and group say, read from its layers.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::id_map::IDS;

/// What may be read of either file, in bytes.
const LIMIT: u64 = 1 << 20;

/// The user that a workload becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) name: String,
    /// Where passwd has one.
    pub(crate) home: Option<PathBuf>,
    pub(crate) shell: Option<PathBuf>,
}

/// Why nobody inside is meant.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// No such name in the image.
    #[error("the image has no {what} {name:?}")]
    Unknown {
        /// `user` or `group`.
        what: &'static str,
        /// As asked for.
        name: String,
    },
    /// An id that nobody can have inside.
    #[error("the id {0} can't be had in a bottle: ids are below {IDS}")]
    Range(String),
    /// The image's files can't be read.
    #[error("cannot read {} of the image", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// The uid and gid of a user as the configuration of an image may name it, for who enters later.
///
/// # Errors
/// [`AccountError`]
pub fn ids_of(text: &str, layers: &[PathBuf]) -> Result<(u32, u32), AccountError> {
    find(text, layers).map(|account| (account.uid, account.gid))
}

/// Finds `user`, `uid`, `user:group` or `uid:gid`; empty means root. `layers` are the image's, the topmost first.
pub(crate) fn find(text: &str, layers: &[PathBuf]) -> Result<Account, AccountError> {
    let (user, group) = text.split_once(':').unwrap_or((text, ""));
    let passwd = read(layers, Path::new("etc/passwd"))?;
    let number = id(user)?;
    let wanted = if user.is_empty() { Some(0) } else { number };
    let known = passwd.lines().filter_map(entry).find(|entry| match wanted {
        Some(uid) => entry.uid == uid,
        None => entry.name == user,
    });
    let mut account = match (known, wanted) {
        (Some(known), _) => known,
        (None, Some(uid)) => Account { uid, gid: 0, name: named(uid), home: None, shell: None },
        (None, None) => return Err(AccountError::Unknown { what: "user", name: user.to_owned() }),
    };
    if !group.is_empty() {
        account.gid = match id(group)? {
            Some(gid) => gid,
            None => group_id(&read(layers, Path::new("etc/group"))?, group)
                .ok_or_else(|| AccountError::Unknown { what: "group", name: group.to_owned() })?,
        };
    }
    match [account.uid, account.gid].into_iter().find(|id| *id >= IDS) {
        Some(id) => Err(AccountError::Range(id.to_string())),
        None => Ok(account),
    }
}

fn named(uid: u32) -> String {
    if uid == 0 { "root".to_owned() } else { uid.to_string() }
}

/// A number that is meant as an id.
fn id(text: &str) -> Result<Option<u32>, AccountError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| AccountError::Range(text.to_owned()))
}

fn entry(line: &str) -> Option<Account> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, _, home, shell] = fields[..] else { return None };
    let path = |text: &str| Path::new(text).is_absolute().then(|| PathBuf::from(text));
    Some(Account {
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        name: name.to_owned(),
        home: path(home),
        shell: path(shell),
    })
}

fn group_id(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [found, _, gid, _] = fields[..] else { return None };
        if found == name { gid.parse().ok() } else { None }
    })
}

/// A plain file as the layers show it; empty where none of them has one. No link is followed.
fn read(layers: &[PathBuf], path: &Path) -> Result<String, AccountError> {
    for layer in layers {
        match look(layer, path).map_err(|source| AccountError::Read { path: path.to_owned(), source })? {
            Found::File(text) => return Ok(text),
            Found::Hidden => break,
            Found::Nothing => {}
        }
    }
    Ok(String::new())
}

enum Found {
    File(String),
    /// What layers below may have does not count.
    Hidden,
    Nothing,
}

fn look(layer: &Path, path: &Path) -> io::Result<Found> {
    let root = rustix::fs::openat(CWD, layer, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let open = |path: &Path, flags: OFlags| {
        let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
        rustix::fs::openat2(&root, path, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty(), how)
    };
    match open(path, OFlags::PATH) {
        Ok(found) => {
            let stat = rustix::fs::fstat(&found)?;
            if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
                return Ok(Found::Hidden);
            }
            let mut bytes = Vec::new();
            File::from(open(path, OFlags::RDONLY)?).take(LIMIT).read_to_end(&mut bytes)?;
            Ok(Found::File(String::from_utf8_lossy(&bytes).into_owned()))
        }
        // Something else than a directory is on the way, a whiteout for example.
        Err(Errno::NOTDIR | Errno::LOOP) => Ok(Found::Hidden),
        Err(Errno::NOENT) => {
            let directory = path.parent().unwrap_or(path);
            match open(directory, OFlags::RDONLY | OFlags::DIRECTORY) {
                Ok(directory) if is_opaque(&directory) => Ok(Found::Hidden),
                _ => Ok(Found::Nothing),
            }
        }
        Err(error) => Err(error.into()),
    }
}

fn is_opaque(directory: &rustix::fd::OwnedFd) -> bool {
    let mut value = [0; 1];
    ["trusted.overlay.opaque", "user.overlay.opaque"]
        .iter()
        .any(|name| rustix::fs::fgetxattr(directory, *name, &mut value).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Layers with these passwd files, the topmost first; nothing, where there is none.
    fn layers(texts: &[Option<&str>]) -> (tempfile::TempDir, Vec<PathBuf>) {
        let top = tempfile::tempdir().unwrap();
        let make = |(at, text): (usize, &Option<&str>)| {
            let layer = top.path().join(at.to_string());
            std::fs::create_dir_all(layer.join("etc")).unwrap();
            if let Some(text) = text {
                std::fs::write(layer.join("etc/passwd"), text).unwrap();
                std::fs::write(layer.join("etc/group"), "root:x:0:\nstaff:x:50:ann\n").unwrap();
            }
            layer
        };
        let layers = texts.iter().enumerate().map(make).collect();
        (top, layers)
    }

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/sh\nann:x:7:8::/home/ann:/bin/ash\nbad\nfar:x:99999:0::/:/bin/sh\n";

    #[test]
    fn names_and_numbers_are_looked_up_in_the_image() {
        let (_top, layers) = layers(&[None, Some(PASSWD)]);
        let found = |text| find(text, &layers).map(|account| (account.uid, account.gid, account.name)).unwrap();
        assert_eq!(found(""), (0, 0, "root".into()));
        assert_eq!(found("ann"), (7, 8, "ann".into()));
        assert_eq!(found("7"), (7, 8, "ann".into()));
        assert_eq!(found("7:9"), (7, 9, "ann".into()));
        assert_eq!(found("ann:staff"), (7, 50, "ann".into()));
        assert_eq!(found("1234"), (1234, 0, "1234".into()));
        assert_eq!(find("ann", &layers).unwrap().home, Some("/home/ann".into()));
        for wrong in ["bob", "ann:nobody", "65536", "7:65536", "far", "99999999999", "bad"] {
            assert!(find(wrong, &layers).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_topmost_file_counts_and_a_link_or_whiteout_is_none() {
        let (top, layers) = layers(&[Some("root:x:0:0::/a:/bin/sh\n"), Some(PASSWD)]);
        assert!(find("ann", &layers).is_err());
        assert_eq!(find("root", &layers).unwrap().home, Some("/a".into()));
        let passwd = top.path().join("0/etc/passwd");
        std::fs::remove_file(&passwd).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &passwd).unwrap();
        assert!(find("ann", &layers).is_err());
        std::fs::remove_file(&passwd).unwrap();
        assert!(find("ann", &layers).is_ok());
        std::fs::remove_dir(top.path().join("0/etc")).unwrap_err();
        std::fs::remove_dir_all(top.path().join("0/etc")).unwrap();
        std::fs::write(top.path().join("0/etc"), "").unwrap();
        assert!(find("ann", &layers).is_err());
    }
}
