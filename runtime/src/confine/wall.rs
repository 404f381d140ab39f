//! What of its own root may the workload change? Landlock says it once more, behind the mounts and whoever owns what.
//!
//! Everything can be read and executed. Changed can be what lies beneath a place that the plan leaves to the workload;
//! Landlock can only allow, so that what is closed within such a place is closed by its mount alone. Nowhere can a device
//! node be made.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use bottle_images::{Access as Shared, Kind, MountPlan, Root};
use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError,
};
use rustix::fs::{Access as Permission, AtFlags, CWD, Dev, FileType, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::{ConfineError, at};

/// The newest rights that are asked for: those over files are complete with it.
const KNOWN: ABI = ABI::V5;

/// A directory with more entries than this is left open as a whole, where something in it is closed; so is one that can't be listed.
const MOST: usize = 256;

/// Which places a plan leaves to the workload, and which it closes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wall {
    root: Base,
    open: Vec<PathBuf>,
    closed: Vec<PathBuf>,
}

/// What holds of what lies in the root itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Base {
    /// Nothing can be changed.
    Closed,
    /// All but the root directory itself can be, as far as it is the workload's.
    Fixed,
    /// The root directory too, where it is the workload's.
    Open,
}

/// Whether the wall stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// It does: what it forbids was tried, and refused.
    Held,
    /// The kernel has no Landlock, or one from before 5.19, which would forbid every rename to another directory.
    Lacking,
}

impl Wall {
    /// What a plan means, whatever becomes of its mounts.
    pub fn of(plan: &MountPlan) -> Wall {
        let root = match (plan.read_only, &plan.root) {
            (true, _) => Base::Closed,
            (false, Root::Tmpfs) => Base::Fixed,
            (false, Root::Overlay { .. }) => Base::Open,
        };
        let (mut open, mut closed) = (Vec::new(), Vec::new());
        for mount in &plan.mounts {
            match &mount.kind {
                Kind::Tmpfs { .. } | Kind::Proc | Kind::Devices => open.push(mount.target.clone()),
                Kind::Share { access: Shared::ReadWrite, .. } => open.push(mount.target.clone()),
                Kind::System { .. } if !plan.read_only => open.push(mount.target.clone()),
                Kind::Directory { .. } | Kind::Symlink { .. } | Kind::File { .. } => {}
                // It lies in a shared tree, which has its own say.
                Kind::Pin { access: Shared::ReadWrite } => {}
                _ => closed.push(mount.target.clone()),
            }
        }
        Wall { root, open, closed }
    }

    /// Whether something is closed further down.
    fn closes_within(&self, directory: &Path) -> bool {
        self.closed.iter().any(|closed| closed != directory && closed.starts_with(directory))
    }

    fn is_mounted_at(&self, path: &Path) -> bool {
        self.open.iter().chain(&self.closed).any(|target| target == path)
    }
}

/// Puts it around the calling process, which has its final ids, and around all that comes from it.
pub(super) fn put_up(wall: &Wall) -> Result<(), ConfineError> {
    match begun().map_err(io::Error::other).map_err(at("make a Landlock ruleset"))? {
        None => Ok(()),

        Some(rules) => Builder { wall, rules: Some(rules) }.finished().map_err(at("close what is not the workload's")),
    }
}

/// Tries what the wall forbids, and the kernel and the owner of the place allow.
///
/// # Errors
/// Where it was not refused, and Landlock is there.
pub(crate) fn tried() -> io::Result<Standing> {
    if begun().map_err(io::Error::other)?.is_none() {
        return Ok(Standing::Lacking);
    }
    // The device that overlays know a removed file by: the one that needs no privilege.
    let name = Path::new("/dev/shm/.bottle-wall");
    match rustix::fs::mknodat(CWD, name, FileType::CharacterDevice, Mode::empty(), 0 as Dev) {
        Err(Errno::ACCESS) => Ok(Standing::Held),
        other => {
            let _ = rustix::fs::unlink(name);
            Err(io::Error::other(format!("a device node could be made in spite of Landlock: {other:?}")))
        }
    }
}

/// A ruleset that forbids everything. Nothing where the kernel knows no rename to another directory.
fn begun() -> Result<Option<RulesetCreated>, RulesetError> {
    let needed = Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(AccessFs::Refer);
    let Ok(rules) = needed else { return Ok(None) };
    let rules = rules.set_compatibility(CompatLevel::BestEffort).handle_access(AccessFs::from_all(KNOWN))?;
    rules.create().map(Some)
}

fn reading() -> BitFlags<AccessFs> {
    AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::Execute
}

fn changing() -> BitFlags<AccessFs> {
    AccessFs::from_all(KNOWN) & !(AccessFs::MakeChar | AccessFs::MakeBlock)
}

struct Builder<'a> {
    wall: &'a Wall,
    rules: Option<RulesetCreated>,
}

impl Builder<'_> {
    fn finished(mut self) -> io::Result<()> {
        let root = Path::new("/");
        self.add(&open(root)?, reading())?;
        match self.wall.root {
            Base::Closed => {}
            Base::Fixed => self.each_in(root)?,
            Base::Open => self.leave(root)?,
        }
        for target in &self.wall.open {
            self.leave_what_is(target)?;
        }
        // The one that a terminal or /dev/null of the host's is opened by anew, by /dev/stdin and its like.
        self.add_stream(rustix::stdio::stdin())?;
        self.add_stream(rustix::stdio::stdout())?;
        self.add_stream(rustix::stdio::stderr())?;
        let rules = self.rules.take().ok_or(io::ErrorKind::NotFound)?;
        rules.restrict_self().map(drop).map_err(io::Error::other)
    }

    /// As much of a directory as is not closed; all of it where it is the workload's, who can make new things there.
    fn leave(&mut self, directory: &Path) -> io::Result<()> {
        let is_own = || rustix::fs::accessat(CWD, directory, Permission::WRITE_OK, AtFlags::EACCESS).is_ok();
        if !self.wall.closes_within(directory) || is_own() {
            return self.leave_what_is(directory);
        }
        self.each_in(directory)
    }

    fn each_in(&mut self, directory: &Path) -> io::Result<()> {
        let entries: Vec<_> = match std::fs::read_dir(directory) {
            // Who may not list it may know what is in it all the same.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return self.leave_what_is(directory),
            entries => entries?.take(MOST + 1).collect::<Result<_, _>>()?,
        };
        if entries.len() > MOST {
            return self.leave_what_is(directory);
        }
        for entry in entries {
            let path = entry.path();
            match entry.file_type()? {
                kind if kind.is_symlink() || self.wall.is_mounted_at(&path) => {}
                kind if kind.is_dir() => self.leave(&path)?,
                _ => self.leave_what_is(&path)?,
            }
        }
        Ok(())
    }

    /// What is out of reach, or gone, needs no rule.
    fn leave_what_is(&mut self, path: &Path) -> io::Result<()> {
        match open(path) {
            Ok(place) => self.add(&place, changing()),
            Err(Errno::NOENT | Errno::ACCESS | Errno::LOOP | Errno::NOTDIR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// A pipe has no place in a tree of files, and needs no rule.
    fn add_stream(&mut self, stream: impl AsFd) -> io::Result<()> {
        let kind = FileType::from_raw_mode(rustix::fs::fstat(&stream)?.st_mode);
        match kind {
            FileType::CharacterDevice => self.add(&stream.as_fd().try_clone_to_owned()?, changing()),
            _ => Ok(()),
        }
    }

    fn add(&mut self, place: &OwnedFd, access: BitFlags<AccessFs>) -> io::Result<()> {
        let is_directory = FileType::from_raw_mode(rustix::fs::fstat(place)?.st_mode).is_dir();
        let access = if is_directory { access } else { access & AccessFs::from_file(KNOWN) };
        let rules = self.rules.take().ok_or(io::ErrorKind::NotFound)?;
        self.rules = Some(rules.add_rule(PathBeneath::new(place, access)).map_err(io::Error::other)?);
        Ok(())
    }
}

fn open(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bottle_images::{Mount, User};

    fn plan(root: Root, read_only: bool) -> MountPlan {
        let place = |target: &str, kind| Mount::new(target, kind);
        let source = PathBuf::from("/srv");
        let share = |access| Kind::Share { source: source.clone(), access };
        let nobody = User { uid: 7, gid: 7, name: "n".into(), home: "/".into(), shell: "/".into() };
        MountPlan {
            root,
            read_only,
            mounts: vec![
                place("/usr", Kind::ReadOnly { source: source.clone() }),
                place("/tools", Kind::System { source: source.clone() }),
                place("/proc", Kind::Proc),
                place("/sys", Kind::Sysfs),
                place("/work", share(Shared::ReadWrite)),
                place("/work/.git", Kind::Pin { access: Shared::ReadWrite }),
                place("/work/.git/hooks", Kind::PinDirectory),
                place("/data/shown", share(Shared::ReadOnly)),
            ],
            user: nobody,
            env: Vec::new(),
            workdir: "/".into(),
            writable: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn image() -> Root {
        Root::Overlay { layers: vec!["/layer".into()], like: 0, kept: None }
    }

    #[test]
    fn a_plan_says_what_is_left_and_what_is_closed() {
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        let wall = Wall::of(&plan(image(), false));
        assert_eq!((wall.root, wall.open.clone()), (Base::Open, paths(&["/tools", "/proc", "/work"])));
        assert_eq!(wall.closed, paths(&["/usr", "/sys", "/work/.git/hooks", "/data/shown"]));
        assert!(wall.closes_within(Path::new("/data")) && wall.closes_within(Path::new("/")));
        assert!(!wall.closes_within(Path::new("/usr")) && !wall.closes_within(Path::new("/dat")));
        assert_eq!(Wall::of(&plan(Root::Tmpfs, false)).root, Base::Fixed);
        let closed = Wall::of(&plan(image(), true));
        assert_eq!((closed.root, closed.open), (Base::Closed, paths(&["/proc", "/work"])));
    }

    #[test]
    fn whatever_is_left_no_device_can_be_made() {
        assert!(!changing().intersects(AccessFs::MakeChar | AccessFs::MakeBlock));
        assert!(changing().contains(AccessFs::WriteFile | AccessFs::Refer | AccessFs::Truncate | AccessFs::IoctlDev));
        assert!(!reading().intersects(AccessFs::from_write(KNOWN)));
    }
}
