//! Which files that the host would execute later did a run change? A note before, a note after, and what differs.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::behind::Behind;
use crate::executed::{is_executed, is_place_of_such, is_sample};
use crate::obeyed::{Obeyed, Reader, enclosing, is_sharing_repository, is_whole_repository, plain, says_itself};
use crate::scan::{self, Enter};

/// The most files of one gravity that are noted in one snapshot.
const MOST: usize = 20_000;

/// Files that git obeys within a repository's own directory, and a link in place of the directory of hooks.
const GIT: [&str; 5] = ["config", "config.worktree", "commondir", "gitdir", "hooks"];

/// What the noted files of some trees look like at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    trees: Vec<PathBuf>,
    files: BTreeMap<PathBuf, Noted>,
    count: [usize; 3],
    unseen: Option<String>,
}

/// A file that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where, by the name that the host would use.
    pub path: PathBuf,
    /// How soon the host would execute it.
    pub gravity: Gravity,
    /// The tree that it lies in, or the directory at the top of that tree.
    pub within: PathBuf,
}

/// How soon would a changed file be executed, and how easily is it overlooked?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gravity {
    /// By git, which any prompt may ask.
    Git,
    /// By tools that are started at the top of a shared tree.
    Top,
    /// By tools that are started deeper in it.
    Deeper,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Noted {
    gravity: Gravity,
    look: Look,
    /// What a link leads to.
    behind: Option<Look>,
}

/// What changes whenever a file does. The change time can't be set back from inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    inode: u64,
    size: u64,
    mode: u32,
    changed: (i64, i64),
}

impl Look {
    /// Of a directory it counts which one it is, since what is in it is noted for itself.
    fn of_directory(metadata: &Metadata) -> Look {
        Look { inode: metadata.ino(), size: 0, mode: 0, changed: (0, 0) }
    }

    fn of_file(metadata: &Metadata) -> Look {
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        Look { inode: metadata.ino(), size: metadata.size(), mode: metadata.mode(), changed }
    }

    fn of(metadata: &Metadata) -> Look {
        if metadata.is_dir() { Look::of_directory(metadata) } else { Look::of_file(metadata) }
    }
}

impl Snapshot {
    /// Notes what the trees hold now, for a caller with this home.
    pub fn take(trees: &[PathBuf], home: &Path) -> Snapshot {
        let mut snapshot = Snapshot { trees: trees.to_owned(), ..Snapshot::default() };
        let (mut reader, mut behind) = (Reader::new(home), Behind::new(trees));
        let everywhere = reader.everywhere();
        for tree in trees {
            let own = snapshot.add(tree, &mut behind);
            for (git, top) in enclosing(tree).into_iter().chain(own) {
                let Some(git) = reader.directory_of(&git) else { continue };
                snapshot.note_named(&reader.obeyed_in(&git), &everywhere, &top);
            }
        }
        if behind.is_short() {
            snapshot.unseen.get_or_insert_with(|| "there is more behind links than is looked at".to_owned());
        }
        snapshot
    }

    /// The noted files that were made, changed or removed since. First what is grave; of that what was there before, since
    /// nobody could make it to hide others in its number; and what lies higher before what lies deeper.
    pub fn changed_since(&self, before: &Snapshot) -> Vec<Change> {
        let all = self.files.iter().chain(before.files.iter().filter(|(path, _)| !self.files.contains_key(*path)));
        let differs = |path: &Path| {
            let looks = |noted: &Noted| (noted.look, noted.behind);
            self.files.get(path).map(looks) != before.files.get(path).map(looks)
        };
        let mut changed: Vec<Change> = all
            .filter(|(path, _)| differs(path))
            .map(|(path, noted)| Change { path: path.clone(), gravity: noted.gravity, within: self.within(path) })
            .collect();
        changed.sort_by_cached_key(|change| {
            let is_new = !before.files.contains_key(&change.path);
            (change.gravity, is_new, change.path.iter().count(), change.path.clone())
        });
        changed
    }

    /// Why not every such file was noted, if so: where a tree has too many, or lies too deep.
    pub fn unseen(&self) -> Option<&str> {
        self.unseen.as_deref()
    }

    /// Gives back the repositories that were met, each with the top of its work tree.
    fn add(&mut self, tree: &Path, behind: &mut Behind<'_>) -> Vec<(PathBuf, PathBuf)> {
        if tree.is_file() {
            self.note_if_such(tree, tree);
            return Vec::new();
        }
        let (mut repositories, mut links) = (Vec::new(), Vec::new());
        let walked = scan::walk_past_the_deep(tree, &[], |found| {
            let path = &found.path;
            if found.kind.is_dir() {
                return Enter::Yes;
            }
            let relative = path.strip_prefix(tree).unwrap_or(path);
            if found.kind.is_symlink() && relative.iter().any(|part| part == ".git") {
                self.note(path, Some(Gravity::Git));
            }
            self.note_if_such(tree, path);
            if found.kind.is_symlink() && is_place_of_such(tree, path) {
                links.push(path.clone());
            }
            if let Some((git, top)) = repository_by(path) {
                self.note_directory(&git);
                repositories.push((git, top));
            }
            Enter::Yes
        });
        match walked {
            // What was hidden by it is not known: it stands for all of that.
            Ok((closed, deep)) => {
                closed.iter().for_each(|directory| self.note(directory, Some(Gravity::Git)));
                self.unseen = self.unseen.take().or(deep.map(|deep| deep.to_string()));
            }
            Err(error) => drop(self.unseen.get_or_insert_with(|| error.to_string())),
        }
        for link in links {
            self.note(&link, None);
            behind.files(&link).iter().for_each(|file| self.note(file, None));
        }
        repositories
    }

    fn note_if_such(&mut self, tree: &Path, path: &Path) {
        if is_obeyed_by_git(path) {
            self.note(path, Some(Gravity::Git));
        } else if is_executed(tree, path) {
            self.note(path, None);
        }
        if path.ends_with("hooks") && path.parent().is_some_and(is_repository) {
            // A link: what it leads to is executed.
            self.note_all_in(path);
        }
    }

    /// What settings name, as far as the workload can write it.
    fn note_named(&mut self, own: &Obeyed, everywhere: &Obeyed, top: &Path) {
        let trees = self.trees.clone();
        let within =
            |path: &Path| path.canonicalize().is_ok_and(|real| trees.iter().any(|tree| real.starts_with(tree)));
        for settings in own.settings.iter().chain(&everywhere.settings).filter(|path| within(path)) {
            self.note(settings, Some(Gravity::Git));
        }
        for top in own.work_trees.iter().map(PathBuf::as_path).chain([top]) {
            for hooks in own.hooks.iter().chain(&everywhere.hooks).map(|hooks| plain(&top.join(hooks))) {
                if within(&hooks) {
                    self.note_all_in(&hooks);
                }
            }
        }
    }

    fn note_all_in(&mut self, directory: &Path) {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
        entries.filter(|path| !is_sample(path)).for_each(|path| self.note(&path, Some(Gravity::Git)));
    }

    fn note_directory(&mut self, path: &Path) {
        if std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
            self.note(path, Some(Gravity::Git));
        }
    }

    /// Without a gravity it has that of its place.
    fn note(&mut self, path: &Path, gravity: Option<Gravity>) {
        let Ok(metadata) = std::fs::symlink_metadata(path) else {
            return;
        };
        let gravity = gravity.unwrap_or_else(|| self.gravity(path));
        let known = self.files.get(path).map(|noted| noted.gravity);
        if says_nothing(path, &metadata) || known.is_some_and(|known| known <= gravity) || !self.has_room(gravity) {
            return;
        }
        // A link stays as it is when what it leads to is changed.
        let behind = metadata.is_symlink().then(|| std::fs::metadata(path).ok()).flatten();
        let noted = Noted { gravity, look: Look::of(&metadata), behind: behind.as_ref().map(Look::of) };
        self.files.insert(path.to_owned(), noted);
    }

    fn has_room(&mut self, gravity: Gravity) -> bool {
        let count = &mut self.count[gravity as usize];
        *count += 1;
        let has_room = *count <= MOST;
        if !has_room {
            self.unseen.get_or_insert_with(|| format!("there are more than {MOST}"));
        }
        has_room
    }

    /// What tools have a directory for at the top of a tree is as grave as what lies there itself.
    fn gravity(&self, path: &Path) -> Gravity {
        let within = self.within(path);
        let is_top = self.trees.contains(&within) || is_place_of_such(&within, &within);
        if is_top { Gravity::Top } else { Gravity::Deeper }
    }

    /// The tree that a path lies in, or the directory at its top.
    fn within(&self, path: &Path) -> PathBuf {
        let trees = self.trees.iter().filter(|tree| path.starts_with(tree));
        let Some(tree) = trees.max_by_key(|tree| tree.as_os_str().len()) else { return path.to_owned() };
        let mut below = path.strip_prefix(tree).unwrap_or(path).iter();
        match (below.next(), below.next()) {
            (Some(first), Some(_)) => tree.join(first),
            _ => tree.clone(),
        }
    }
}

/// Whether a setting of git's is one that changes nothing. Such files are made when a repository is shared that has none.
fn says_nothing(path: &Path, metadata: &Metadata) -> bool {
    let is = |name| path.file_name() == Some(OsStr::new(name)) && metadata.is_file();
    let is_empty = metadata.len() == 0 && (is("config") || is("config.worktree"));
    is_empty || metadata.len() == 2 && is("commondir") && says_itself(path)
}

/// What makes a directory a work tree, and settings and hooks in whatever git would take for a repository, which may have
/// any name.
fn is_obeyed_by_git(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    let Some(directory) = path.parent() else {
        return false;
    };
    let is_hook = || directory.ends_with("hooks") && !is_sample(path) && directory.parent().is_some_and(is_repository);
    name == ".git" || name == "git-rebase-todo" || (GIT.contains(&name) && is_repository(directory)) || is_hook()
}

/// The repository that this entry makes one, and the top of its work tree: one that is called `.git`, and whatever has the
/// parts of one.
fn repository_by(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let directory = path.parent()?;
    if path.ends_with(".git") {
        return Some((path.to_owned(), directory.to_owned()));
    }
    let is_one = path.ends_with("HEAD") && (is_whole_repository(directory) || is_sharing_repository(directory));
    let top = if directory.ends_with(".git") { directory.parent()? } else { directory };
    is_one.then(|| (directory.to_owned(), top.to_owned()))
}

/// Whether it has what git asks of every repository, links among them.
fn is_repository(directory: &Path) -> bool {
    directory.ends_with(".git") || std::fs::symlink_metadata(directory.join("HEAD")).is_ok()
}

#[cfg(test)]
#[path = "changed_tests.rs"]
mod tests;
