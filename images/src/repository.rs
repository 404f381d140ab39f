//! What in a shared repository tells the host's git what to execute?

use std::path::{Path, PathBuf};

use crate::obeyed::{
    Obeyed, Reader, enclosing, is_sharing_repository, is_whole_repository, obeys_work_tree_settings, plain,
};
use crate::plan::{Access, Kind};

/// The most repositories in one tree whose settings are closed, the top one and submodules among them. What the workload
/// changes in others is listed at the end.
const MOST: usize = 64;

/// The most files and directories elsewhere in the tree that are closed since settings name them.
const MOST_NAMED: usize = 256;

/// The repositories that were met in a tree.
pub(crate) struct Repositories {
    tree: PathBuf,
    reader: Reader,
    /// What the caller's own settings name, in every repository.
    everywhere: Obeyed,
    pins: Vec<(PathBuf, Kind)>,
    left: usize,
    named: usize,
    /// Whether something was left out.
    short: bool,
}

impl Repositories {
    /// That of the tree itself, if it is one, for a caller with this home.
    pub(crate) fn of(tree: &Path, home: &Path) -> Repositories {
        let mut reader = Reader::new(home);
        let everywhere = reader.everywhere();
        let (tree, pins) = (tree.to_owned(), Vec::new());
        let mut repositories =
            Repositories { tree, reader, everywhere, pins, left: MOST, named: MOST_NAMED, short: false };
        repositories.add(&repositories.tree.join(".git"));
        if let Some((git, top)) = enclosing(&repositories.tree)
            && let Some(git) = repositories.reader.directory_of(&git)
        {
            repositories.add_named(&git, &top);
        }
        repositories
    }

    /// Whether there is more than is closed.
    pub(crate) fn is_short(&self) -> bool {
        self.short
    }

    /// One that lies within the tree: `git` is what is called `.git` there.
    pub(crate) fn add_nested(&mut self, git: &Path) {
        if git.parent() != Some(&self.tree) {
            self.add(git);
        }
    }

    /// One that has any other name, if this directory is one: git takes it for one by what is in it.
    pub(crate) fn add_bare(&mut self, directory: &Path) {
        if self.is_pinned(directory) || self.is_pinned(&directory.join("config")) {
            return;
        }
        if is_whole_repository(directory) {
            self.add_whole(directory, directory);
        } else if is_sharing_repository(directory) {
            self.add_work_tree(directory);
        }
    }

    /// What must be pinned, each after what holds it.
    pub(crate) fn pins(mut self) -> Vec<(PathBuf, Kind)> {
        let holders = self.holders();
        self.pins.extend(holders);
        self.pins.sort_by(|(one, _), (other, _)| one.cmp(other));
        // The same directory of hooks may be named twice, and a holder may be pinned for itself: what was first counts.
        self.pins.dedup_by(|(one, _), (other, _)| one == other);
        self.pins
    }

    fn is_pinned(&self, path: &Path) -> bool {
        self.pins.iter().any(|(pinned, _)| pinned == path)
    }

    /// The directories above, up to the tree: one that could be renamed would take what is pinned along, and another could
    /// be made under its name.
    fn holders(&self) -> Vec<(PathBuf, Kind)> {
        let above = self.pins.iter().flat_map(|(path, _)| path.ancestors().skip(1));
        let within = above.filter(|path| path.starts_with(&self.tree) && *path != self.tree);
        within.map(|path| (path.to_owned(), Kind::Pin { access: Access::ReadWrite })).collect()
    }

    fn add(&mut self, git: &Path) {
        let Ok(metadata) = std::fs::symlink_metadata(git) else {
            return;
        };
        let top = git.parent().unwrap_or(git);
        if metadata.is_file() {
            if !self.take_one() {
                return;
            }
            // A work tree of a repository elsewhere: the file says where.
            self.pins.push((git.to_owned(), Kind::Pin { access: Access::ReadOnly }));
            if let Some(elsewhere) = self.reader.led_to(git) {
                self.add_named(&elsewhere, top);
            }
        } else if metadata.is_dir() {
            self.add_whole(git, top);
        }
    }

    fn add_whole(&mut self, git: &Path, top: &Path) {
        self.add_directory(git, top);
        self.add_within(&git.join("modules"));
        self.add_within(&git.join("worktrees"));
    }

    /// A repository's own directory: it can't be exchanged, and what git obeys in it can't be changed.
    fn add_directory(&mut self, git: &Path, top: &Path) {
        if !self.take_one() {
            return;
        }
        if git != self.tree {
            self.pins.push((git.to_owned(), Kind::Pin { access: Access::ReadWrite }));
        }
        // With a `commondir` git would not look for the work tree where the settings say.
        let has_work_tree = !self.reader.obeyed_in(git).work_trees.is_empty();
        let settings = settings(git)
            .into_iter()
            .filter(|(path, _)| !(has_work_tree && path.ends_with("commondir") && is_missing(path)));
        self.pins.extend(settings.map(|(path, text)| (path, Kind::PinFile { text })));
        let hooks = git.join("hooks");
        match std::fs::symlink_metadata(&hooks) {
            // What it leads to is closed; that another link takes its place can't be prevented, and is told at the end.
            Ok(metadata) if metadata.is_symlink() => self.pin(&hooks, Kind::PinDirectory),
            Ok(metadata) if !metadata.is_dir() => {}
            _ => self.pins.push((hooks, Kind::PinDirectory)),
        }
        self.add_named(git, top);
    }

    /// The repositories of submodules and work trees, whose names may have slashes.
    fn add_within(&mut self, directory: &Path) {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if self.left == 0 {
                self.short = true;
                return;
            }
            if path.join("gitdir").is_file() {
                self.add_work_tree(&path);
            } else if path.join("HEAD").is_file() {
                // Where its work tree lies, its settings say.
                self.add_directory(&path, &path);
                self.add_within(&path.join("modules"));
            } else if self.take_one() {
                self.add_within(&path);
            }
        }
    }

    /// What says where a further work tree's settings are.
    fn add_work_tree(&mut self, path: &Path) {
        if !self.take_one() {
            return;
        }
        self.pins.push((path.to_owned(), Kind::Pin { access: Access::ReadWrite }));
        let files = ["commondir", "gitdir", "config.worktree"].map(|name| path.join(name));
        let there = files.into_iter().filter(|path| is_plain_file(path));
        self.pins.extend(there.map(|path| (path, Kind::Pin { access: Access::ReadOnly })));
        self.add_named(path, path);
    }

    /// Hooks that lie elsewhere in the tree, and further settings, where the repository's own settings say so, or the
    /// caller's.
    fn add_named(&mut self, git: &Path, top: &Path) {
        let own = self.reader.obeyed_in(git);
        let settings: Vec<PathBuf> = own.settings.iter().chain(&self.everywhere.settings).cloned().collect();
        let hooks: Vec<PathBuf> = own.hooks.iter().chain(&self.everywhere.hooks).cloned().collect();
        for settings in settings {
            self.pin(&settings, Kind::PinFile { text: String::new() });
        }
        for top in own.work_trees.iter().map(PathBuf::as_path).chain([top]) {
            for hooks in &hooks {
                self.pin(&plain(&top.join(hooks)), Kind::PinDirectory);
            }
        }
    }

    fn take_one(&mut self) -> bool {
        self.short |= self.left == 0;
        self.left.checked_sub(1).map(|left| self.left = left).is_some()
    }

    /// Closes what a setting names, if it leads into the tree. Of what is missing the first directory is closed: it could be
    /// made.
    fn pin(&mut self, path: &Path, kind: Kind) {
        let Some(existing) = path.ancestors().find(|path| !is_missing(path)) else { return };
        let Ok(real) = existing.canonicalize() else { return };
        let missing = path.strip_prefix(existing).unwrap_or(path);
        let first_missing = missing.iter().next().map(|name| real.join(name));
        let (path, kind) = match first_missing {
            Some(first) if missing.iter().count() > 1 => (first, Kind::PinDirectory),
            Some(first) => (first, kind),
            None => (real, kind),
        };
        if !path.starts_with(&self.tree) || path == self.tree || self.is_pinned(&path) {
            return;
        }
        self.short |= self.named == 0;
        if let Some(named) = self.named.checked_sub(1) {
            self.named = named;
            self.pins.push((path, kind));
        }
    }
}

/// The files that tell git what to execute, and for each a text that changes nothing: a missing one could be made by
/// the workload. `commondir` names the directory whose settings and hooks count; a dot is the repository itself.
fn settings(git: &Path) -> Vec<(PathBuf, String)> {
    let mut names = vec![("config", ""), ("commondir", ".\n")];
    let worktree = "config.worktree";
    if is_plain_file(&git.join(worktree)) || obeys_work_tree_settings(&git.join("config")) {
        names.push((worktree, ""));
    }
    let paths = names.into_iter().map(|(name, text)| (git.join(name), text.to_owned()));
    paths.filter(|(path, _)| is_plain_file(path) || is_missing(path)).collect()
}

fn is_plain_file(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

fn is_missing(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// Whether git in this directory would read its settings through a symbolic link, which can't be pinned.
pub(crate) fn has_linked_repository(source: &Path) -> Option<PathBuf> {
    [".git", ".git/config", ".git/config.worktree", ".git/commondir", ".git/hooks"]
        .map(|name| source.join(name))
        .into_iter()
        .find(|path| std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()))
}

#[cfg(test)]
#[path = "repository_tests.rs"]
mod tests;
