//! What stands in for the machine's own files where nothing keeps an attempt from them? Files that anybody may write, seen in the
//! stage's mounts only: the control must show that the attempt writes, and must leave the machine as it is.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::field::Host;
use crate::machine;
use crate::sys;

const FOLDER: &str = "/run/escape-stand-ins";

/// Mounts, names and messages of its own, so that whatever attempts may do to them ends with the stage.
pub(super) fn leave() -> io::Result<()> {
    let flags = libc::CLONE_NEWNS | libc::CLONE_NEWUTS | libc::CLONE_NEWIPC;
    sys::call(libc::SYS_unshare, &mut [sys::Arg::Number(flags as u64)])?;
    sys::mount("none", "/".as_ref(), "", libc::MS_REC | libc::MS_PRIVATE)
}

/// Covers each file with one that all may write, and each directory with an empty one.
pub(super) fn put_up(host: &Host) -> io::Result<()> {
    for path in machine::files() {
        let stand_in = prepare(path)?;
        // What can't be read, such as the log, starts out empty.
        fs::write(
            &stand_in,
            if path == Path::new(machine::LOG) { Vec::new() } else { fs::read(path).unwrap_or_default() },
        )?;
        cover(&stand_in, path, 0o666)?;
    }
    for path in machine::directories() {
        let stand_in = prepare(path)?;
        fs::create_dir_all(&stand_in)?;
        for name in inside(path) {
            let file = stand_in.join(name);
            file.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&file, "")?;
            fs::set_permissions(&file, fs::Permissions::from_mode(0o666))?;
        }
        cover(&stand_in, path, 0o777)?;
    }
    if let Some(secret) = &host.covered {
        sys::mount("cover", secret.parent().unwrap_or(secret), "tmpfs", 0)?;
    }
    if let Some(sealed) = &host.sealed {
        sys::mount(&sealed.to_string_lossy(), sealed, "", libc::MS_BIND)?;
        sys::mount("none", sealed, "", libc::MS_BIND | libc::MS_REMOUNT | libc::MS_RDONLY)?;
    }
    Ok(())
}

fn prepare(path: &Path) -> io::Result<std::path::PathBuf> {
    let stand_in = Path::new(FOLDER).join(path.strip_prefix("/").unwrap_or(path));
    stand_in.parent().map_or(Ok(()), fs::create_dir_all)?;
    Ok(stand_in)
}

fn cover(stand_in: &Path, path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(stand_in, fs::Permissions::from_mode(mode))?;
    sys::mount(&stand_in.to_string_lossy(), path, "", libc::MS_BIND)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// What the kernel has in such a directory, for attempts to write to.
fn inside(path: &Path) -> &'static [&'static str] {
    match path.to_str() {
        Some(machine::FORMATS) => &["register"],
        Some(machine::GROUPS) => &["group/release_agent", "group/notify_on_release", "group/cgroup.procs"],
        _ => &[],
    }
}
