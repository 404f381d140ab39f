//! Could anybody but root and the caller put something else where a path leads?

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use crate::nested::Nested;

/// Somebody else than root, or than whoever calls, could write it.
#[derive(Debug, thiserror::Error)]
#[error("{} can be written by others than root", .0.display())]
pub struct Unsafe(PathBuf);

/// Who may write, beyond the owner.
const OTHERS: u32 = 0o022;
/// Of a directory: only the owner of what is in it renames and removes that.
const STICKY: u32 = 0o1000;
/// Who may get into a directory, beyond the owner.
const SEARCH: u32 = 0o011;
/// How many links a path may have, as for the kernel (path_resolution(7)).
const LINKS: usize = 40;

/// Demands of an open file or directory, and of each directory and link that leads to it, that only root or the caller can write it. In a
/// directory where anybody may write, but only the owner rename and remove, what root owns stays what it is.
pub(crate) fn guarded(file: &File, path: &Path) -> Result<(), Unsafe> {
    Way::of(path, Beneath::Looked)?.leads_to(file, path)
}

/// The same of what was made for this call. It may be anybody's in a directory of the caller's or root's into which nobody else gets, and an id's that nobody
/// on the machine has: podman gives a bundle to the root of the container. Within a user namespace the host's root looks like any stranger, so that there it has
/// to be the caller's.
pub(crate) fn guarded_own(file: &File, path: &Path) -> Result<(), Unsafe> {
    let way = Way::of(path, Beneath::LetBe)?;
    way.leads_to(file, path)?;
    let is_own = file.metadata().is_ok_and(|itself| way.trusted.is_known(itself.uid()));
    if is_own || way.is_closed() { Ok(()) } else { Err(Unsafe(path.to_owned())) }
}

/// Root and the caller, by their uids, and nobody.
struct Trusted {
    /// Root, as the files of the host's show it, and the caller.
    ids: [u32; 3],
    /// Who is there besides, where the ids of nobody are trusted.
    accounts: Option<Accounts>,
}

impl Trusted {
    /// Within a user namespace the host's root has another number, and so has each user who is nobody there.
    fn now(beneath: Beneath) -> Option<Trusted> {
        let root = fs::metadata("/").ok()?.uid();
        let accounts = if beneath == Beneath::LetBe { Accounts::read() } else { None };
        Some(Trusted { ids: [0, root, rustix::process::geteuid().as_raw()], accounts })
    }

    fn owns(&self, about: &Metadata) -> bool {
        self.ids.contains(&about.uid()) || self.is_known(about.uid())
    }

    /// Whether it is root's, the caller's or nobody's by a number that means the same to whoever looks.
    fn is_known(&self, uid: u32) -> bool {
        let [root, _, caller] = self.ids;
        uid == root || uid == caller || self.accounts.as_ref().is_some_and(|accounts| accounts.have_not(uid))
    }
}

/// The ids that somebody has, by the files of accounts: a user's own, and those that newuidmap(1) gives a user. What is kept elsewhere is not known.
struct Accounts(Vec<Range<u64>>);

impl Accounts {
    /// Nothing where it can't be told: in a user namespace, whose numbers are others, and of files that are not what they have to be.
    fn read() -> Option<Accounts> {
        let is_here = Nested::find().is_ok_and(|nested| nested.is_none());
        let (passwd, ranges) = (fs::read_to_string("/etc/passwd"), fs::read_to_string("/etc/subuid"));
        let ranges = match ranges {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            ranges => ranges.ok()?,
        };
        is_here.then(|| Accounts::of(&passwd.ok()?, &ranges))?
    }

    /// A range whose user has no account, as podman's `containers`, is nobody's.
    fn of(passwd: &str, ranges: &str) -> Option<Accounts> {
        let is_entry = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
        let account = |line: &str| {
            let mut fields = line.split(':');
            Some((fields.next()?.to_owned(), fields.nth(1)?.parse::<u64>().ok()?))
        };
        let accounts: Vec<(String, u64)> = passwd.lines().filter(is_entry).map(account).collect::<Option<_>>()?;
        let mut all: Vec<Range<u64>> = accounts.iter().map(|(_, uid)| *uid..*uid + 1).collect();
        for line in ranges.lines().filter(is_entry) {
            let fields: Vec<&str> = line.split(':').collect();
            let [user, first, count] = fields[..] else { return None };
            let (first, count): (u64, u64) = (first.trim().parse().ok()?, count.trim().parse().ok()?);
            if user.parse::<u64>().is_ok() || accounts.iter().any(|(name, _)| name == user) {
                all.push(first..first.saturating_add(count));
            }
        }
        Some(Accounts(all))
    }

    fn have_not(&self, uid: u32) -> bool {
        !self.0.iter().any(|range| range.contains(&u64::from(uid)))
    }
}

/// What is beneath a directory into which nobody else gets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beneath {
    /// It is looked at as everything else is.
    Looked,
    /// It may be anybody's.
    LetBe,
}

/// Where a path leads, each link followed by itself: that one of the directories on the way is safe says nothing of who could turn a link.
struct Way {
    trusted: Trusted,
    at: PathBuf,
    /// The first directory or link on the way that somebody else could exchange things in, or it.
    open: Option<PathBuf>,
    /// The directory into which nobody else gets, where what is beneath is let be.
    closed: Option<PathBuf>,
    beneath: Beneath,
}

impl Way {
    fn of(path: &Path, beneath: Beneath) -> Result<Way, Unsafe> {
        let not = || Unsafe(path.to_owned());
        let trusted = Trusted::now(beneath).ok_or_else(not)?;
        let mut way = Way { trusted, at: "/".into(), open: None, closed: None, beneath };
        let mut rest = steps(&std::path::absolute(path).map_err(|_| not())?);
        let mut links = 0;
        while let Some(step) = rest.pop() {
            match way.step(&step) {
                Some(Some(link)) if links < LINKS => rest.extend(steps(&link)),
                Some(None) => continue,
                _ => return Err(not()),
            }
            links += 1;
        }
        Ok(way)
    }

    /// One step on; where that is a link, what it says. Nothing where it can't be made.
    fn step(&mut self, step: &OsStr) -> Option<Option<PathBuf>> {
        if step == "/" || step == ".." {
            self.at = if step == "/" { step.into() } else { self.at.parent().unwrap_or(&self.at).to_owned() };
            return Some(None);
        }
        let above = fs::symlink_metadata(&self.at).ok()?;
        let is_owned = self.trusted.owns(&above);
        if !is_owned || above.mode() & OTHERS != 0 && above.mode() & STICKY == 0 {
            self.is_open(self.at.clone());
        }
        if self.open.is_none() && !self.is_closed() {
            let closes = self.beneath == Beneath::LetBe && is_owned && above.mode() & SEARCH == 0;
            self.closed = closes.then(|| self.at.clone());
        }
        let next = self.at.join(step);
        let about = fs::symlink_metadata(&next).ok()?;
        if !about.is_symlink() {
            self.at = next;
            return Some(None);
        }
        // Where everybody may write, its owner can turn it.
        if !self.trusted.owns(&about) {
            self.is_open(next.clone());
        }
        fs::read_link(&next).ok().map(Some)
    }

    /// Notes the first one. Beneath what is closed to others nothing is open to them.
    fn is_open(&mut self, place: PathBuf) {
        if !self.is_closed() {
            self.open.get_or_insert(place);
        }
    }

    fn is_closed(&self) -> bool {
        self.closed.as_ref().is_some_and(|closed| self.at.starts_with(closed))
    }

    /// Demands that it leads to this file, and that nobody else can exchange or write it.
    fn leads_to(&self, file: &File, path: &Path) -> Result<(), Unsafe> {
        let not = || Unsafe(path.to_owned());
        let (named, itself) = (fs::metadata(&self.at).map_err(|_| not())?, file.metadata().map_err(|_| not())?);
        let same = (named.dev(), named.ino()) == (itself.dev(), itself.ino());
        let is_safe = self.trusted.owns(&itself) && itself.mode() & OTHERS == 0;
        match &self.open {
            Some(place) => Err(Unsafe(place.clone())),
            None if same && (is_safe || self.is_closed()) => Ok(()),
            None => Err(not()),
        }
    }
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

    /// As podman's are: the bundle is the container's root's, and its store lets nobody else in.
    #[test]
    fn beneath_a_directory_into_which_nobody_else_gets_a_bundle_may_be_anybodys_and_a_policy_may_not() {
        let place = tempfile::tempdir().unwrap();
        let top = place.path().canonicalize().unwrap();
        let (store, bundle) = (top.join("store"), top.join("store/bundle"));
        fs::create_dir_all(&bundle).unwrap();
        mode(&top, 0o755);
        let file = bundle.join("file");
        fs::write(&file, "").unwrap();
        let [out, link] = [bundle.join("out"), bundle.join("link")];
        symlink(&top, &out).unwrap();
        symlink(top.join("other"), &link).unwrap();
        fs::write(top.join("other"), "").unwrap();
        mode(&file, 0o666);
        mode(&bundle, 0o777);
        let both = |path: &Path| {
            let opened = File::open(path).unwrap();
            (guarded_own(&opened, path).is_ok(), guarded(&opened, path).is_ok())
        };
        for (permissions, is_own) in [(0o700, true), (0o744, true), (0o711, false), (0o710, false), (0o701, false)] {
            mode(&store, permissions);
            assert_eq!(both(&file), (is_own, false), "{permissions:o}");
            assert_eq!(both(&bundle), (is_own, false), "{permissions:o}");
            // Which leads out again.
            assert_eq!(both(&out.join("other")), (is_own, false), "{permissions:o}");
            assert_eq!(both(&link), (is_own, false), "{permissions:o}");
        }
        mode(&store, 0o700);
        mode(&top.join("other"), 0o666);
        assert_eq!(both(&link), (false, false));
        mode(&top, 0o777);
        assert_eq!(both(&file), (false, false));
        mode(&top, 0o755);
    }

    #[test]
    fn an_id_is_somebodys_by_an_account_or_by_a_range_of_one_and_where_that_is_unknown_everybodys() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nann:x:1001:1001::/home/ann:/bin/sh\n";
        let ranges = "# none\nann:100000:65536\n1002:200000:2\ncontainers:1600000000:1048576\n\n";
        let accounts = Accounts::of(passwd, ranges).unwrap();
        for somebodys in [0, 1001, 100_000, 165_535, 200_000, 200_001] {
            assert!(!accounts.have_not(somebodys), "{somebodys}");
        }
        for nobodys in [1002, 99_999, 165_536, 200_002, 1_600_000_000, u32::MAX] {
            assert!(accounts.have_not(nobodys), "{nobodys}");
        }
        for (passwd, ranges) in [("+::::::\n", ""), (passwd, "ann:100000\n"), (passwd, "ann:x:1\n")] {
            assert!(Accounts::of(passwd, ranges).is_none(), "{passwd} {ranges}");
        }
        // Of policies and settings nobody's ids are not trusted.
        assert!(!Trusted::now(Beneath::Looked).unwrap().is_known(1_234_567_890));
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
        std::os::unix::fs::lchown(&link, Some(1), None).unwrap();
        assert!(is_guarded(&file) && !is_guarded(&link));
        std::os::unix::fs::chown(&file, Some(1), None).unwrap();
        assert!(!is_guarded(&file));
        std::os::unix::fs::chown(&file, Some(0), None).unwrap();
        std::os::unix::fs::chown(&top, Some(1), None).unwrap();
        assert!(!is_guarded(&file));
    }
}
