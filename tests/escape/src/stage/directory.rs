//! What did a sandbox leave in the directory that it shares with the host? Repositories whose hooks the host would run, set-id
//! files, devices, dumps.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::token;

/// Repositories of the host's, by the directory that they are in.
pub(crate) const REPOSITORIES: [&str; 6] = ["", "above/below", "moved", "exchanged", "linked", "replaced"];
const DUMP: usize = 64 << 20;

/// Makes the repositories, as `git init` would.
pub(super) fn lay_out(directory: &Path) -> io::Result<()> {
    for repository in REPOSITORIES {
        let git = directory.join(repository).join(".git");
        for folder in ["hooks", "objects", "refs/heads"] {
            fs::create_dir_all(git.join(folder))?;
        }
        fs::write(git.join("HEAD"), "ref: refs/heads/main\n")?;
        fs::write(git.join("config"), "[core]\n\trepositoryformatversion = 0\n\tbare = false\n")?;
    }
    Ok(())
}

/// What has a token in it and would be run, or be what it must not, by place.
pub(super) fn look(directory: &Path, seed: &str) -> Vec<(String, Vec<u8>)> {
    let mut seen = Vec::new();
    for repository in REPOSITORIES {
        let git = directory.join(repository).join(".git");
        let hooks = fs::read_dir(git.join("hooks")).into_iter().flatten().flatten().map(|entry| entry.path());
        seen.extend(hooks.chain([git.join("config")]).map(|path| (path.display().to_string(), content(&path))));
    }
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name().into_encoded_bytes();
        let Ok(about) = entry.metadata() else { continue };
        let kind = about.file_type();
        if !kind.is_symlink() && about.permissions().mode() & 0o6000 != 0 {
            seen.push(("set-id file in the shared directory".to_owned(), name.clone()));
        }
        if kind.is_block_device() || kind.is_char_device() {
            seen.push(("device in the shared directory".to_owned(), name.clone()));
        }
        if name.starts_with(b"core") && kind.is_file() {
            seen.push(("dump in the shared directory".to_owned(), content(&entry.path())));
        }
    }
    let prefix = token::prefix(seed);
    seen.retain(|(_, bytes)| token::in_bytes(bytes, &prefix));
    seen.into_iter().map(|(place, bytes)| (place, short(bytes, &prefix))).collect()
}

fn content(path: &PathBuf) -> Vec<u8> {
    let small = fs::symlink_metadata(path).is_ok_and(|about| about.is_file() && about.len() < DUMP as u64);
    if small { fs::read(path).unwrap_or_default() } else { Vec::new() }
}

/// The tokens alone, where there is much else.
fn short(bytes: Vec<u8>, prefix: &str) -> Vec<u8> {
    if bytes.len() < 4096 {
        return bytes;
    }
    let starts = bytes.windows(prefix.len()).enumerate().filter(|(_, window)| *window == prefix.as_bytes());
    starts.flat_map(|(at, _)| bytes[at..].iter().take(token::LENGTH).chain(b" ")).copied().collect()
}
