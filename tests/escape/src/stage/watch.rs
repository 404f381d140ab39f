//! What changed on the machine? Its settings, accounts, name, log, keys and mounts, before and after; a file that was changed gets
//! back what it had.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::machine;
use crate::token;

/// How things were.
pub(super) struct Watch {
    prefix: String,
    files: Vec<(&'static Path, Vec<u8>)>,
    log: Option<File>,
}

impl Watch {
    /// Files that only others may read are left out: whoever can't read them can't write them either.
    pub(super) fn begin(seed: &str) -> Self {
        let files = machine::files().filter(|path| *path != Path::new(machine::LOG));
        let files = files.filter_map(|path| Some((path, fs::read(path).ok()?))).collect();
        let log = fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(machine::LOG);
        let log = log.ok().and_then(|mut log| log.seek(SeekFrom::End(0)).is_ok().then_some(log));
        Self { prefix: token::prefix(seed), files, log }
    }

    /// What now has a token in it, by place.
    pub(super) fn end(self) -> Vec<(String, Vec<u8>)> {
        let mut seen = Vec::new();
        for (path, before) in &self.files {
            let now = fs::read(path).unwrap_or_default();
            if now != *before {
                // A stand-in or a real one: it is as it was before anything else is looked at.
                let _ = fs::write(path, before);
                seen.push((path.display().to_string(), now));
            }
        }
        for directory in machine::directories() {
            seen.extend(names(directory, 3));
        }
        let mut records = vec![0; 8192];
        while let Some(Ok(length @ 1..)) = self.log.as_ref().map(|mut log| log.read(&mut records)) {
            seen.push(("the kernel's log".to_owned(), records[..length].to_vec()));
        }
        for file in ["/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname", "/proc/keys", "/proc/self/mountinfo"] {
            seen.push((file.to_owned(), fs::read(file).unwrap_or_default()));
        }
        seen.push(("the machine's name".to_owned(), crate::sys::names()));
        seen.retain(|(_, bytes)| token::in_bytes(bytes, &self.prefix));
        seen
    }
}

/// The names of all that lies there, and what is in small files that anybody may write: the stand-ins.
fn names(directory: &Path, deep: u8) -> Vec<(String, Vec<u8>)> {
    let mut seen = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let (path, kind): (PathBuf, _) = (entry.path(), entry.file_type());
        let place = format!("in {}", directory.display());
        seen.push((place, entry.file_name().into_encoded_bytes()));
        if kind.is_ok_and(|kind| kind.is_dir()) && deep > 0 {
            seen.extend(names(&path, deep - 1));
        } else if entry.file_name() == "release_agent" || entry.file_name() == "register" {
            seen.push((path.display().to_string(), fs::read(&path).unwrap_or_default()));
        }
    }
    seen
}
