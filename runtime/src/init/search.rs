//! Which file is the program that a command names? As execvp(3) looks for it, inside the new root.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::message::Failure;

/// Finds the program. A name with a slash is a path; another is looked for along PATH.
///
/// Runs as the workload's user, in its working directory.
pub(super) fn find(name: &str, env: &[(String, String)]) -> Result<PathBuf, Failure> {
    if name.contains('/') {
        return usable(Path::new(name));
    }
    let path = env.iter().find(|(key, _)| key == "PATH").map_or("", |(_, value)| value);
    let mut worst = not_found(name, Some(path));
    for directory in path.split(':').filter(|directory| directory.starts_with('/')) {
        match usable(&Path::new(directory).join(name)) {
            Ok(found) => return Ok(found),
            // What is there but can't be executed is worth more words than what is not there.
            Err(failure) if failure.code == 126 => worst = failure,
            Err(_) => {}
        }
    }
    Err(worst)
}

fn usable(path: &Path) -> Result<PathBuf, Failure> {
    let name = path.display().to_string();
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return Err(not_executable(&name, &error.to_string()));
        }
        Err(_) => return Err(not_found(&name, None)),
    };
    if metadata.is_dir() {
        return Err(not_executable(&name, "it is a directory"));
    }
    // Who opens a FIFO waits for whoever opens its other end.
    if !metadata.is_file() {
        return Err(not_executable(&name, "it is no regular file"));
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err(not_executable(&name, "it has no permission to be executed"));
    }
    std::path::absolute(path).map_err(|error| not_executable(&name, &error.to_string()))
}

/// `along` is the PATH that was searched.
fn not_found(name: &str, along: Option<&str>) -> Failure {
    Failure { code: 127, what: format!("{name}: not found inside the bottle"), hint: Some(hint(along, is_host())) }
}

fn hint(along: Option<&str>, is_host: bool) -> String {
    let searched = along.map_or(String::new(), |along| format!("it was looked for in {along}; "));
    let why = match is_host {
        true => "image `host` shows programs below home only where PATH names a known toolchain, and `-v` shows others",
        false => "the image does not have it",
    };
    format!("if the spelling is right: {searched}{why}")
}

/// Only image `host` has an empty file system for its root; the others' is an overlay.
fn is_host() -> bool {
    const TMPFS: i64 = 0x0102_1994;
    rustix::fs::statfs("/").is_ok_and(|root| root.f_type == TMPFS)
}

fn not_executable(name: &str, why: &str) -> Failure {
    Failure { code: 126, what: format!("{name}: cannot be executed: {why}"), hint: None }
}

/// Why execve(2) refused a program that was found.
pub(super) fn refused(path: &Path, error: &std::io::Error) -> Failure {
    let hint = match error.raw_os_error() {
        Some(libc::ENOENT) => Some("its interpreter or its dynamic loader is not there inside".to_owned()),
        Some(libc::ENOEXEC) => Some("it is no program for this machine, or a script without `#!`".to_owned()),
        _ => None,
    };
    Failure { hint, ..not_executable(&path.display().to_string(), &error.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(path: &Path) -> Vec<(String, String)> {
        vec![("PATH".into(), format!("/nowhere:{}", path.display()))]
    }

    fn file(directory: &Path, name: &str, mode: u32) {
        std::fs::write(directory.join(name), "").unwrap();
        std::fs::set_permissions(directory.join(name), PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_program_on_path_is_found() {
        let directory = tempfile::tempdir().unwrap();
        file(directory.path(), "tool", 0o755);
        assert_eq!(find("tool", &env(directory.path())).unwrap(), directory.path().join("tool"));
    }

    #[test]
    fn what_is_missing_is_127_and_what_is_no_program_is_126() {
        let directory = tempfile::tempdir().unwrap();
        file(directory.path(), "text", 0o644);
        assert_eq!(find("nothing", &env(directory.path())).unwrap_err().code, 127);
        assert_eq!(find("text", &env(directory.path())).unwrap_err().code, 126);
        assert_eq!(find("/", &[]).unwrap_err().code, 126);
    }

    #[test]
    fn what_is_missing_from_an_image_is_not_told_of_the_hosts_home() {
        assert_eq!(
            hint(Some("/bin"), false),
            "if the spelling is right: it was looked for in /bin; the image does not have it"
        );
        assert!(hint(None, true).contains("image `host` shows programs below home"));
    }

    #[test]
    fn a_fifo_that_may_be_executed_is_no_program_and_nobody_waits_for_its_writer() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o755.into(), 0).unwrap();
        assert_eq!(find(fifo.to_str().unwrap(), &[]).unwrap_err().code, 126);
    }
}
