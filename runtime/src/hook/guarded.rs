//! Could anybody but root and the caller put something else where a path leads?

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Somebody else than root, or than whoever calls, could write it.
#[derive(Debug, thiserror::Error)]
#[error("{} can be written by others than root", .0.display())]
pub struct Unsafe(PathBuf);

/// Who may write, beyond the owner.
const OTHERS: u32 = 0o022;
/// Of a directory: only the owner of what is in it renames and removes that.
const STICKY: u32 = 0o1000;
/// How many links a path may have, as for the kernel (path_resolution(7)).
const LINKS: usize = 40;

/// Demands of an open file or directory, and of each directory and link that leads to it, that only root or the caller can write it. In a
/// directory where anybody may write, but only the owner rename and remove, what root owns stays what it is.
pub(crate) fn guarded(file: &File, path: &Path) -> Result<(), Unsafe> {
    let not = || Unsafe(path.to_owned());
    let trusted = Trusted::now().ok_or_else(not)?;
    let whole = leads(path, &trusted)?;
    let (named, itself) = (fs::metadata(&whole).map_err(|_| not())?, file.metadata().map_err(|_| not())?);
    let same = (named.dev(), named.ino()) == (itself.dev(), itself.ino());
    if same && trusted.owns(&itself) && itself.mode() & OTHERS == 0 { Ok(()) } else { Err(not()) }
}

/// The same of what the caller or root has made for this call. Within a user namespace the host's root looks like any stranger, so that
/// there it has to be the caller's.
pub(crate) fn guarded_own(file: &File, path: &Path) -> Result<(), Unsafe> {
    guarded(file, path)?;
    let own = [0, rustix::process::geteuid().as_raw()];
    if file.metadata().is_ok_and(|itself| own.contains(&itself.uid())) { Ok(()) } else { Err(Unsafe(path.to_owned())) }
}

/// Root and the caller, by their uids.
struct Trusted([u32; 3]);

impl Trusted {
    /// Within a user namespace the host's root has another number, and so has each user who is nobody there.
    fn now() -> Option<Trusted> {
        let root = fs::metadata("/").ok()?.uid();
        Some(Trusted([0, root, rustix::process::geteuid().as_raw()]))
    }

    fn owns(&self, about: &Metadata) -> bool {
        self.0.contains(&about.uid())
    }
}

/// Where a path leads, each link followed by itself: that one of the directories on the way is safe says nothing of who could turn a link.
fn leads(path: &Path, trusted: &Trusted) -> Result<PathBuf, Unsafe> {
    let not = |_| Unsafe(path.to_owned());
    let whole = std::path::absolute(path).map_err(not)?;
    let mut rest = steps(&whole);
    let mut at = PathBuf::from("/");
    let mut links = 0;
    while let Some(step) = rest.pop() {
        if step == "/" {
            at = PathBuf::from("/");
            continue;
        }
        if step == ".." {
            at.pop();
            continue;
        }
        let above = fs::symlink_metadata(&at).map_err(not)?;
        if !trusted.owns(&above) || above.mode() & OTHERS != 0 && above.mode() & STICKY == 0 {
            return Err(Unsafe(at));
        }
        let next = at.join(step);
        let about = fs::symlink_metadata(&next).map_err(not)?;
        if !about.is_symlink() {
            at = next;
            continue;
        }
        links += 1;
        // Where everybody may write, its owner can turn it.
        if !trusted.owns(&about) || links > LINKS {
            return Err(Unsafe(next));
        }
        rest.extend(steps(&fs::read_link(&next).map_err(not)?));
    }
    Ok(at)
}

/// The parts of a path, the first one last.
fn steps(path: &Path) -> Vec<OsString> {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    parts.rev().map(|part| part.as_os_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_leads_to_a_file_is_safe_link_by_link_or_the_file_is_not() {
        let place = tempfile::tempdir().unwrap();
        let top = place.path().canonicalize().unwrap();
        let [open, safe] = ["open", "safe"].map(|name| top.join(name));
        for directory in [&open, &safe] {
            fs::create_dir(directory).unwrap();
        }
        let file = safe.join("file");
        fs::write(&file, "").unwrap();
        symlink("../safe", open.join("link")).unwrap();
        symlink(&open, safe.join("around")).unwrap();
        symlink("turn", safe.join("turn")).unwrap();
        let is_guarded = |path: &Path| guarded(&File::open(&file).unwrap(), path).is_ok();
        let by = ["link/file", "link/../safe/./file"].map(|rest| open.join(rest));
        let all = [&file, &by[0], &by[1], &safe.join("around/link/file"), &safe.join("around/../safe/file")];
        for (permissions, passes) in [(0o755, 5), (0o1777, 5), (0o777, 2), (0o775, 2)] {
            mode(&open, permissions);
            let passed: Vec<_> = all.iter().filter(|path| is_guarded(path)).collect();
            assert_eq!(passed.len(), passes, "{permissions:o} {passed:?}");
        }
        mode(&safe, 0o775);
        assert!(!is_guarded(&file));
        mode(&safe, 0o755);
        for permissions in [0o664, 0o646] {
            mode(&file, permissions);
            assert!(!is_guarded(&file), "{permissions:o}");
        }
        // A link that leads to itself, another file, and none.
        for other in [safe.join("turn"), safe.clone(), safe.join("none")] {
            assert!(!is_guarded(&other), "{}", other.display());
        }
    }

    #[test]
    fn in_a_directory_of_everybodys_a_strangers_link_and_directory_are_not_safe() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let place = tempfile::tempdir().unwrap();
        let top = place.path().canonicalize().unwrap();
        mode(&top, 0o1777);
        let file = top.join("file");
        fs::write(&file, "").unwrap();
        let link = top.join("link");
        symlink("file", &link).unwrap();
        let is_guarded = |path: &Path| guarded_own(&File::open(&file).unwrap(), path).is_ok();
        assert!(is_guarded(&file) && is_guarded(&link));
        std::os::unix::fs::lchown(&link, Some(1001), None).unwrap();
        assert!(is_guarded(&file) && !is_guarded(&link));
        std::os::unix::fs::chown(&file, Some(1001), None).unwrap();
        assert!(!is_guarded(&file));
        std::os::unix::fs::chown(&file, Some(0), None).unwrap();
        std::os::unix::fs::chown(&top, Some(1001), None).unwrap();
        assert!(!is_guarded(&file));
    }
}
