//! Which files that the host would execute later did a run change? A note before, a note after, and what differs.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::obeyed::{Obeyed, Reader, enclosing, is_whole_repository, plain};
use crate::plain_file;
use crate::scan::{self, Enter};

/// The most files that are noted in one snapshot.
const MOST: usize = 20_000;

/// Directories of dependencies and results: large, made anew at will, and executed only by way of what is noted. Repositories
/// are noted in them too: git looks into whatever its index calls a submodule.
const PASSED_OVER: [&str; 5] = ["node_modules", "target", ".venv", "venv", "__pycache__"];

/// Files that a tool of the host executes, or obeys, without being asked again.
#[rustfmt::skip]
const NAMES: [&str; 63] = [
    ".bazelrc", ".bash_profile", ".bashrc", ".envrc", ".eslintrc.js", ".gitattributes", ".gitlab-ci.yml",
    ".gitmodules", ".mise.toml", ".npmrc", ".nvmrc", ".pnp.cjs", ".pnpmfile.cjs", ".pre-commit-config.yaml",
    ".profile", ".python-version", ".tool-versions", ".vimrc", ".yarnrc", ".yarnrc.yml", "BUILD.bazel",
    "CMakeLists.txt", "Cargo.toml", "Dockerfile", "GNUmakefile", "Gemfile", "Jenkinsfile", "Justfile", "Makefile",
    "Rakefile", "Taskfile.yml", "build.gradle", "build.gradle.kts", "build.rs", "compose.yaml", "composer.json",
    "configure", "conftest.py", "docker-compose.yml", "go.mod", "gradlew", "justfile", "makefile", "meson.build",
    "mise.toml", "noxfile.py", "package.json", "pom.xml", "pyproject.toml", "setup.py", "sitecustomize.py", "tox.ini",
    "mvnw", ".gdbinit", ".mcp.json", "CMakePresets.json", "WORKSPACE", "flake.nix", "hgrc", "lefthook.yml",
    "rust-toolchain.toml", "settings.gradle", "vite.config.js",
];

/// Directories in which every file is of that kind.
#[rustfmt::skip]
const DIRECTORIES: [&str; 11] = [
    ".circleci", ".devcontainer", ".githooks", ".github", ".husky", ".idea", ".vscode", ".yarn", ".claude", ".cursor",
    "hooks",
];

/// Files that git obeys within a repository's own directory, and a link in place of the directory of hooks.
const GIT: [&str; 5] = ["config", "config.worktree", "commondir", "gitdir", "hooks"];

/// What the noted files of some trees look like at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    files: BTreeMap<PathBuf, (Look, Option<Look>)>,
    complete: bool,
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

    fn of(metadata: &Metadata) -> Look {
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        Look { inode: metadata.ino(), size: metadata.size(), mode: metadata.mode(), changed }
    }
}

impl Snapshot {
    /// Notes what the trees hold now, for a caller with this home.
    pub fn take(trees: &[PathBuf], home: &Path) -> Snapshot {
        let mut snapshot = Snapshot { files: BTreeMap::new(), complete: true };
        let mut reader = Reader::new(home);
        let everywhere = reader.everywhere();
        for tree in trees {
            let own = snapshot.add(tree);
            for (git, top) in enclosing(tree).into_iter().chain(own) {
                let Some(git) = reader.directory_of(&git) else { continue };
                snapshot.note_named(&reader.obeyed_in(&git), &everywhere, &top, trees);
            }
        }
        snapshot
    }

    /// The noted files that were made, changed or removed since, in order.
    pub fn changed_since(&self, before: &Snapshot) -> Vec<PathBuf> {
        let differs = |path: &&PathBuf| self.files.get(*path) != before.files.get(*path);
        let all = self.files.keys().chain(before.files.keys().filter(|path| !self.files.contains_key(*path)));
        let mut changed: Vec<PathBuf> = all.filter(differs).cloned().collect();
        changed.sort();
        changed
    }

    /// Whether every such file was noted; false where a tree has too many.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Gives back the repositories that were met, each with the top of its work tree.
    fn add(&mut self, tree: &Path) -> Vec<(PathBuf, PathBuf)> {
        let mut repositories = Vec::new();
        let walked = scan::walk(tree, &[], |found| {
            let (path, directory) = (&found.path, found.path.parent().unwrap_or(tree));
            if found.kind.is_dir() {
                return Enter::Yes;
            }
            let relative = path.strip_prefix(tree).unwrap_or(path);
            let is_link_within = found.kind.is_symlink() && relative.iter().any(|part| part == ".git");
            if is_executed(relative) || is_obeyed_by_git(path) || is_link_within {
                self.note(path);
            }
            if path.ends_with("hooks") && is_repository(directory) {
                // A link: what it leads to is executed.
                self.note_all_in(path);
            }
            if let Some((git, top)) = repository_by(path) {
                self.note_directory(&git);
                repositories.push((git, top));
            }
            Enter::Yes
        });
        match walked {
            // What was hidden by it is not known: it stands for all of that.
            Ok(closed) => closed.iter().for_each(|directory| self.note(directory)),
            Err(_) => self.complete &= tree.is_file(),
        }
        repositories
    }

    /// What settings name, as far as the workload can write it.
    fn note_named(&mut self, own: &Obeyed, everywhere: &Obeyed, top: &Path, trees: &[PathBuf]) {
        let within =
            |path: &Path| path.canonicalize().is_ok_and(|real| trees.iter().any(|tree| real.starts_with(tree)));
        for settings in own.settings.iter().chain(&everywhere.settings).filter(|path| within(path)) {
            self.note(settings);
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
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            self.note(&entry.path());
        }
    }

    fn note_directory(&mut self, path: &Path) {
        let Ok(metadata) = std::fs::symlink_metadata(path) else { return };
        if metadata.is_dir() && self.has_room() {
            self.files.insert(path.to_owned(), (Look::of_directory(&metadata), None));
        }
    }

    fn has_room(&mut self) -> bool {
        self.complete &= self.files.len() < MOST;
        self.files.len() < MOST
    }

    fn note(&mut self, path: &Path) {
        let Ok(metadata) = std::fs::symlink_metadata(path) else {
            return;
        };
        if says_nothing(path, &metadata) || !self.has_room() {
            return;
        }
        // A link stays as it is when what it leads to is changed.
        let behind = metadata.is_symlink().then(|| std::fs::metadata(path).ok()).flatten();
        self.files.insert(path.to_owned(), (Look::of(&metadata), behind.as_ref().map(Look::of)));
    }
}

/// Whether a setting of git's is one that changes nothing. Such files are made when a repository is shared that has none.
fn says_nothing(path: &Path, metadata: &Metadata) -> bool {
    let is = |name| path.file_name() == Some(OsStr::new(name)) && metadata.is_file();
    let is_empty = metadata.len() == 0 && (is("config") || is("config.worktree"));
    is_empty || metadata.len() == 2 && is("commondir") && plain_file::read(path).is_ok_and(|text| text == b".\n")
}

fn is_executed(relative: &Path) -> bool {
    let Some(name) = relative.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    let within = |directory: &str| relative.parent().is_some_and(|parent| parent.iter().any(|part| part == directory));
    if PASSED_OVER.iter().any(|directory| within(directory)) {
        return false;
    }
    NAMES.contains(&name)
        || name.ends_with(".mk")
        || name.ends_with(".sln")
        || DIRECTORIES.iter().any(|directory| within(directory))
        || (within(".cargo") && name.starts_with("config"))
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
    let is_hook = || directory.ends_with("hooks") && directory.parent().is_some_and(is_repository);
    name == ".git" || name == "git-rebase-todo" || (GIT.contains(&name) && is_repository(directory)) || is_hook()
}

/// The repository that this entry makes one, and the top of its work tree: one that is called `.git`, and whatever has the
/// parts of one.
fn repository_by(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let directory = path.parent()?;
    if path.ends_with(".git") {
        return Some((path.to_owned(), directory.to_owned()));
    }
    let is_whole = path.ends_with("HEAD") && is_whole_repository(directory);
    let top = if directory.ends_with(".git") { directory.parent()? } else { directory };
    is_whole.then(|| (directory.to_owned(), top.to_owned()))
}

/// Whether it has what git asks of every repository, links among them.
fn is_repository(directory: &Path) -> bool {
    directory.ends_with(".git") || std::fs::symlink_metadata(directory.join("HEAD")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        for file in files {
            let path = tree.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        tree
    }

    fn changed(tree: &tempfile::TempDir, act: impl FnOnce(&Path)) -> Vec<String> {
        let trees = [tree.path().to_owned()];
        let before = Snapshot::take(&trees, Path::new("/home/nobody"));
        act(tree.path());
        let changed = Snapshot::take(&trees, Path::new("/home/nobody")).changed_since(&before);
        changed.iter().map(|path| path.strip_prefix(tree.path()).unwrap().display().to_string()).collect()
    }

    #[test]
    fn what_the_host_would_execute_is_listed_when_made_changed_or_removed() {
        let tree = tree(&["Makefile", "a/package.json", "src/main.rs"]);
        let listed = changed(&tree, |top| {
            std::fs::remove_file(top.join("Makefile")).unwrap();
            std::fs::write(top.join("a/package.json"), "longer").unwrap();
            std::fs::write(top.join("src/main.rs"), "longer").unwrap();
            std::fs::write(top.join("build.rs"), "x").unwrap();
        });
        assert_eq!(listed, ["Makefile", "a/package.json", "build.rs"]);
    }

    #[test]
    fn settings_and_hooks_of_nested_repositories_are_listed() {
        let tree = tree(&["sub/.git/config"]);
        let listed = changed(&tree, |top| {
            std::fs::create_dir_all(top.join("sub/.git/hooks")).unwrap();
            std::fs::write(top.join("sub/.git/hooks/post-checkout"), "x").unwrap();
            std::fs::write(top.join("sub/.git/commondir"), "../evil").unwrap();
            std::fs::write(top.join("sub/.git/config"), "[core]").unwrap();
        });
        assert_eq!(listed, ["sub/.git/commondir", "sub/.git/config", "sub/.git/hooks/post-checkout"]);
    }

    #[test]
    fn whatever_git_would_take_for_a_repository_is_listed_under_any_name_and_anywhere() {
        let tree =
            tree(&["old.git/HEAD", "old.git/config", "app/config", "app/hooks/use.js", "node_modules/a/package.json"]);
        let write = |path: PathBuf, text: &str| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let listed = changed(&tree, |top| {
            write(top.join("old.git/config"), "[core]");
            write(top.join("old.git/hooks/update"), "#!");
            write(top.join("HEAD"), "ref: x");
            write(top.join("config"), "[core]");
            write(top.join("sub/.git"), "gitdir: ../data");
            write(top.join("data/HEAD"), "ref: x");
            write(top.join("data/config"), "[core]");
            write(top.join("node_modules/b/.git/config"), "[core]");
            write(top.join("node_modules/b/package.json"), "{}");
            write(top.join("app/config"), "changed");
            std::os::unix::fs::symlink("data", top.join(".git")).unwrap();
        });
        let expected = [
            ".git",
            "config",
            "data/config",
            "node_modules/b/.git/config",
            "old.git/config",
            "old.git/hooks/update",
            "sub/.git",
        ];
        assert_eq!(listed, expected);
    }

    #[test]
    fn a_new_repository_and_what_links_in_it_lead_to_is_listed() {
        let tree = tree(&["evil/post-index-change", "old/.git/HEAD", "old/.git/objects/x", "old/.git/refs/x"]);
        std::os::unix::fs::symlink("../../evil", tree.path().join("old/.git/hooks")).unwrap();
        let listed = changed(&tree, |top| {
            for directory in ["objects", "refs", "logs"] {
                std::fs::create_dir_all(top.join("new/.git").join(directory)).unwrap();
            }
            std::fs::write(top.join("new/.git/HEAD"), "ref: x").unwrap();
            std::os::unix::fs::symlink("../../evil", top.join("new/.git/hooks")).unwrap();
            std::os::unix::fs::symlink("/x", top.join("new/.git/logs/HEAD")).unwrap();
            std::fs::write(top.join("evil/post-index-change"), "longer").unwrap();
        });
        let expected = [
            "new/.git",
            "new/.git/hooks",
            "new/.git/hooks/post-index-change",
            "new/.git/logs/HEAD",
            "old/.git/hooks/post-index-change",
        ];
        assert_eq!(listed, expected);
    }

    #[test]
    fn what_settings_name_through_links_or_from_outside_of_the_tree_is_listed() {
        let top = tree(&["real/hook", "shared.cfg", "pkg/scripts/hook", "pkg/more/x"]);
        for (git, config) in [
            (".git", "[core]\n\thooksPath = pkg/scripts\n"),
            ("pkg/sub/.git", "[core]\n\thooksPath = ../hk\n[include]\n\tpath = ../../cfg\n"),
        ] {
            for name in ["HEAD", "objects/x", "refs/x", "config"] {
                let path = top.path().join(git).join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, config).unwrap();
            }
        }
        std::os::unix::fs::symlink("more", top.path().join("pkg/hk")).unwrap();
        std::os::unix::fs::symlink("more/settings", top.path().join("pkg/cfg")).unwrap();
        std::fs::write(top.path().join("pkg/more/settings"), "").unwrap();
        let trees = [top.path().join("pkg").canonicalize().unwrap()];
        let take = || Snapshot::take(&trees, Path::new("/home/nobody"));
        let before = take();
        for name in ["scripts/hook", "more/x", "more/settings"] {
            std::fs::write(trees[0].join(name), "longer").unwrap();
        }
        let listed = take().changed_since(&before);
        let listed: Vec<&Path> = listed.iter().map(|path| path.strip_prefix(&trees[0]).unwrap()).collect();
        assert_eq!(listed, ["cfg", "hk/settings", "hk/x", "scripts/hook"].map(Path::new));
    }

    #[test]
    fn a_link_whose_target_changes_is_listed() {
        let tree = tree(&["settings", "sub/.git/HEAD"]);
        std::os::unix::fs::symlink("../../settings", tree.path().join("sub/.git/config")).unwrap();
        assert_eq!(changed(&tree, |top| std::fs::write(top.join("settings"), "[core]").unwrap()), ["sub/.git/config"]);
    }

    #[test]
    fn what_keeps_settings_from_being_made_is_not_listed_until_it_says_something() {
        let tree = tree(&[".git/HEAD"]);
        let make = |top: &Path, common: &str| std::fs::write(top.join(".git/commondir"), common).unwrap();
        assert_eq!(changed(&tree, |top| make(top, ".\n")), Vec::<String>::new());
        assert_eq!(changed(&tree, |top| make(top, "x\n")), [".git/commondir"]);
    }

    #[test]
    fn the_same_length_and_a_time_set_back_do_not_hide_a_change() {
        let tree = tree(&["Makefile"]);
        let listed = changed(&tree, |top| {
            let old = std::fs::metadata(top.join("Makefile")).unwrap().modified().unwrap();
            std::fs::write(top.join("Makefile"), "y").unwrap();
            let file = std::fs::File::options().write(true).open(top.join("Makefile")).unwrap();
            file.set_modified(old).unwrap();
        });
        assert_eq!(listed, ["Makefile"]);
    }
}
