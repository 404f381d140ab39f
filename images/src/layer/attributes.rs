//! How does a file get the owner, mode, times and extended attributes that an entry says?

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{AtFlags, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use super::entry::{Entry, Time};
use super::options::{Opaque, Owners};

/// What a file says of itself besides its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: Time,
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What was left out and why, with the first file of which, and of how many.
#[derive(Debug, Default)]
pub(super) struct Notes {
    left_out: BTreeMap<(String, &'static str), (String, u64)>,
    /// The file that is being made.
    path: Vec<u8>,
}

impl Notes {
    /// Many notes would be those of a hostile layer.
    const MOST: usize = 100;

    /// Names the file that is made next.
    pub(super) fn at(&mut self, path: &[u8]) {
        self.path = path.to_owned();
    }

    pub(super) fn add(&mut self, what: String, why: &'static str) {
        let key = (what, why);
        if self.left_out.len() < Notes::MOST || self.left_out.contains_key(&key) {
            let path = &self.path;
            let first = || (String::from_utf8_lossy(path).escape_debug().to_string(), 0);
            self.left_out.entry(key).or_insert_with(first).1 += 1;
        }
    }

    /// As sentences.
    pub(super) fn sentences(&self) -> Vec<String> {
        let sentence = |((what, why), (path, count)): (&(String, &str), &(String, u64))| {
            let more = if *count == 1 { String::new() } else { format!(" and {} more", count - 1) };
            format!("{what} is left out ({path}{more}): {why}")
        };
        self.left_out.iter().map(sentence).collect()
    }
}

/// How a descriptor was opened: what an O_PATH one can't do is done through its name in /proc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handle {
    /// For reading or writing.
    Open,
    /// With O_PATH: links and special files, which must not be opened.
    Path,
    /// With O_PATH, a link: it has no mode.
    Link,
}

impl Attributes {
    pub(super) fn of(entry: &Entry) -> Attributes {
        let Entry { mode, uid, gid, mtime, .. } = *entry;
        Attributes { mode, uid, gid, mtime, xattrs: entry.xattrs.clone() }
    }

    /// Applies all of it: the owner first, since that clears setuid and capabilities; the time last.
    pub(super) fn apply(
        &self,
        file: &OwnedFd,
        handle: Handle,
        owners: Owners,
        notes: &mut Notes,
    ) -> rustix::io::Result<()> {
        if let Some((uid, gid)) = owners.on_disk((self.uid, self.gid)) {
            let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
            rustix::fs::chownat(file, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
        }
        match handle {
            Handle::Open => rustix::fs::fchmod(file, Mode::from_raw_mode(self.mode))?,
            Handle::Path => rustix::fs::chmod(in_proc(file), Mode::from_raw_mode(self.mode))?,
            Handle::Link => {}
        }
        for (name, value) in &self.xattrs {
            set(file, handle, name, value, notes)?;
        }
        match handle {
            Handle::Open => rustix::fs::futimens(file, &timestamps(self.mtime)),
            Handle::Path | Handle::Link => {
                rustix::fs::utimensat(file, "", &timestamps(self.mtime), AtFlags::EMPTY_PATH)
            }
        }
    }
}

fn timestamps(time: Time) -> Timestamps {
    let time = Timespec { tv_sec: time.seconds, tv_nsec: time.nanoseconds.into() };
    Timestamps { last_access: time, last_modification: time }
}

fn in_proc(file: impl AsFd) -> String {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())
}

/// Sets an extended attribute, unless it is one that the layer must not or can't have.
fn set(file: &OwnedFd, handle: Handle, name: &[u8], value: &[u8], notes: &mut Notes) -> rustix::io::Result<()> {
    let text = String::from_utf8_lossy(name).into_owned();
    // What overlayfs reads would make it show other files; labels belong to the host's own policy.
    if text.starts_with("trusted.overlay.") || text.starts_with("user.overlay.") {
        notes.add(format!("the extended attribute {text}"), "it would change what the overlay shows");
        return Ok(());
    }
    if matches!(text.as_str(), "security.selinux" | "security.ima" | "security.evm") {
        return Ok(());
    }
    let done = match handle {
        Handle::Open => rustix::fs::fsetxattr(file, name, value, XattrFlags::empty()),
        // A link's own attribute: the name in /proc leads to the link itself and not on.
        Handle::Path | Handle::Link => rustix::fs::setxattr(in_proc(file), name, value, XattrFlags::empty()),
    };
    match done {
        Err(Errno::PERM | Errno::NOTSUP | Errno::ACCESS | Errno::INVAL | Errno::RANGE | Errno::TOOBIG) => {
            let why = match text.as_str() {
                "security.capability" => "it can't be set here, so ping and the like lack what it gives them elsewhere",
                _ => "it can't be set here",
            };
            notes.add(format!("the extended attribute {text}"), why);
            Ok(())
        }
        done => done,
    }
}

/// The attributes of a file in a layer below, for what is made in its place.
pub(super) fn read(file: &OwnedFd, stat: &rustix::fs::Stat, owners: Owners) -> rustix::io::Result<Attributes> {
    let (uid, gid) = owners.inside((stat.st_uid, stat.st_gid));
    Ok(Attributes {
        mode: stat.st_mode & 0o7777,
        uid,
        gid,
        mtime: Time { seconds: stat.st_mtime, nanoseconds: stat.st_mtime_nsec as u32 },
        xattrs: xattrs(file)?,
    })
}

fn xattrs(file: &OwnedFd) -> rustix::io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let path = in_proc(file);
    let mut names = vec![0; 64 << 10];
    let length = match rustix::fs::listxattr(&path, &mut names) {
        Err(Errno::NOTSUP) => return Ok(Vec::new()),
        listed => listed?,
    };
    let marks = [Opaque::Trusted.name(), Opaque::User.name()];
    let mut found = Vec::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        if marks.iter().any(|mark| mark.as_bytes() == name) {
            continue;
        }
        let mut value = vec![0; 64 << 10];
        let length = rustix::fs::getxattr(&path, name, &mut value)?;
        value.truncate(length);
        found.push((name.to_owned(), value));
    }
    Ok(found)
}
