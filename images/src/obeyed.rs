//! What does git take for a repository, which settings does it obey there, and what do they name? Files that others include
//! among them.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use crate::{plain_file, settings};

/// The most files of settings that are read for one shared tree.
const MOST: usize = 1024;

/// What settings name, wherever it lies.
#[derive(Debug, Default)]
pub(crate) struct Obeyed {
    /// Directories of hooks: absolute, or from the top of the work tree.
    pub(crate) hooks: Vec<PathBuf>,
    /// Files that were included, or would be if they were there.
    pub(crate) settings: Vec<PathBuf>,
    /// Where the work tree lies, if it is said.
    pub(crate) work_trees: Vec<PathBuf>,
}

/// Reads settings, and no more of them than a start can bear: whoever wrote them may mean ill.
pub(crate) struct Reader {
    home: PathBuf,
    left: usize,
}

impl Reader {
    /// For a caller with this home.
    pub(crate) fn new(home: &Path) -> Reader {
        Reader { home: home.to_owned(), left: MOST }
    }

    /// What the machine's and the caller's own settings name.
    pub(crate) fn everywhere(&mut self) -> Obeyed {
        let own = [".gitconfig", ".config/git/config"].map(|name| self.home.join(name));
        self.obeyed(own.into_iter().chain(["/etc/gitconfig".into()]).collect())
    }

    /// What the settings of the repository in this directory name.
    pub(crate) fn obeyed_in(&mut self, git: &Path) -> Obeyed {
        let common = self.line(&git.join("commondir")).map(|common| plain(&git.join(common)));
        let config = common.unwrap_or_else(|| git.to_owned()).join("config");
        let mut obeyed = self.obeyed(vec![config, git.join("config.worktree")]);
        obeyed.work_trees = obeyed.work_trees.iter().map(|path| plain(&git.join(path))).collect();
        obeyed
    }

    /// The directory of the repository that a file called `.git` leads to.
    pub(crate) fn led_to(&mut self, file: &Path) -> Option<PathBuf> {
        let line = self.line(file)?;
        Some(plain(&file.parent()?.join(line.strip_prefix("gitdir:")?.trim_start())))
    }

    /// The directory of the repository that this entry called `.git` is, or leads to.
    pub(crate) fn directory_of(&mut self, git: &Path) -> Option<PathBuf> {
        if git.is_file() { self.led_to(git) } else { Some(git.to_owned()) }
    }

    fn obeyed(&mut self, mut files: Vec<PathBuf>) -> Obeyed {
        let (mut obeyed, mut met) = (Obeyed::default(), HashSet::new());
        while let Some(file) = files.pop() {
            if !met.insert(file.clone()) {
                continue;
            }
            let Some(text) = self.read(&file) else { continue };
            let named = settings::read(&text);
            let beside = file.parent().unwrap_or(&file);
            let included = named.settings.iter().map(|path| plain(&beside.join(self.expanded(path))));
            let included: Vec<PathBuf> = included.collect();
            files.extend(included.iter().cloned());
            obeyed.settings.extend(included);
            obeyed.hooks.extend(named.hooks.iter().map(|path| self.expanded(path)));
            obeyed.work_trees.extend(named.work_trees.iter().map(PathBuf::from));
        }
        obeyed
    }

    /// `~/` is the caller's home.
    fn expanded(&self, path: &str) -> PathBuf {
        path.strip_prefix("~/").map_or_else(|| path.into(), |below| self.home.join(below))
    }

    fn line(&mut self, file: &Path) -> Option<String> {
        let text = String::from_utf8(self.read(file)?).ok()?;
        Some(text.trim_end_matches(['\n', '\r']).to_owned())
    }

    fn read(&mut self, file: &Path) -> Option<Vec<u8>> {
        self.left = self.left.checked_sub(1)?;
        plain_file::beginning(file).ok()
    }
}

/// What is called `.git` in the nearest directory above, and that directory: its settings may name what lies in the tree.
pub(crate) fn enclosing(tree: &Path) -> Option<(PathBuf, PathBuf)> {
    let above = tree.ancestors().skip(1).map(|top| (top.join(".git"), top.to_owned()));
    above.into_iter().find(|(git, _)| git.exists())
}

/// Whether git would take this directory for a repository, whatever it is called.
pub(crate) fn is_whole_repository(directory: &Path) -> bool {
    ["HEAD", "objects", "refs"].iter().all(|name| std::fs::symlink_metadata(directory.join(name)).is_ok())
}

/// Without `.` and `..`.
pub(crate) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}
