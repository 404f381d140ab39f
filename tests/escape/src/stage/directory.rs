//! What did a sandbox leave in the directory that it shares with the host? Repositories that the host would obey, set-id files,
//! devices, dumps.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::token;

/// Repositories of the host's, by the directory that they are in.
const REPOSITORIES: [&str; 12] = [
    "",
    "above/below",
    "moved",
    "exchanged",
    "linked",
    "replaced",
    "common",
    "work-tree",
    "including",
    "behind-link",
    "named",
    "closed/repository",
];
/// What is obeyed there besides hooks: files of its own, and those that the settings of some name.
const OBEYED: [&str; 5] = [".git/config", ".git/config.worktree", ".git/commondir", "settings", "more"];
/// Where hooks lie.
const HOOKS: [&str; 2] = [".git/hooks", ".husky"];
/// The one that nobody can list, but for who opens it.
const CLOSED: &str = "closed";
const DUMP: usize = 64 << 20;

/// Makes the repositories, as `git init` would.
pub(super) fn lay_out(directory: &Path) -> io::Result<()> {
    for repository in REPOSITORIES {
        let git = directory.join(repository).join(".git");
        for folder in ["hooks", "objects", "refs/heads"] {
            fs::create_dir_all(git.join(folder))?;
        }
        fs::write(git.join("HEAD"), "ref: refs/heads/main\n")?;
        let settings = "[core]\n\trepositoryformatversion = 0\n\tbare = false\n".to_owned() + settings(repository);
        fs::write(git.join("config"), settings)?;
    }
    fs::write(directory.join("including/settings"), "[core]\n")?;
    fs::create_dir(directory.join("behind-link/scripts"))?;
    fs::remove_dir(directory.join("behind-link/.git/hooks"))?;
    symlink("../scripts", directory.join("behind-link/.git/hooks"))?;
    fs::set_permissions(directory.join(CLOSED), fs::Permissions::from_mode(0o300))
}

/// What this repository has besides what all have.
fn settings(repository: &str) -> &'static str {
    match repository {
        "work-tree" => "[extensions]\n\tworktreeConfig = true\n",
        "including" => "[include]\n\tpath = ../settings\n\tpath = ../more\n",
        "named" => "\thooksPath = .husky\n",
        _ => "",
    }
}

/// Opens what nobody could list, so that it can be looked into and removed. What was moved away is open.
pub(super) fn open(directory: &Path) {
    let _ = fs::set_permissions(directory.join(CLOSED), fs::Permissions::from_mode(0o700));
}

/// What has a token in it and would be run, or be what it must not, by place.
pub(super) fn look(directory: &Path, seed: &str) -> Vec<(String, Vec<u8>)> {
    let mut seen = Vec::new();
    open(directory);
    for repository in REPOSITORIES {
        let repository = directory.join(repository);
        let hooks = HOOKS.iter().flat_map(|hooks| fs::read_dir(repository.join(hooks)).into_iter().flatten().flatten());
        let files = hooks.map(|entry| entry.path()).chain(OBEYED.iter().map(|name| repository.join(name)));
        seen.extend(files.map(|path| (path.display().to_string(), content(&path))));
    }
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name().into_encoded_bytes();
        let Ok(about) = entry.metadata() else { continue };
        let kind = about.file_type();
        if !kind.is_symlink() && about.permissions().mode() & 0o6000 != 0 {
            seen.push(("set-id file in the shared directory".to_owned(), name.clone()));
        }
        if crate::sys::has_capabilities(&entry.path()) {
            seen.push(("capabilities of a file in the shared directory".to_owned(), name.clone()));
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
