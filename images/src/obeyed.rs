//! What does git take for a repository, which settings does it obey there, and what do they name? Files that others include
//! among them.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use crate::{plain_file, route, settings};

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

    /// What the settings of the repository in this directory name; and where it shares another's, those settings and hooks.
    pub(crate) fn obeyed_in(&mut self, git: &Path) -> Obeyed {
        let common = self.line(&git.join("commondir")).map(|common| plain(&git.join(common)));
        let shared = common.filter(|common| *common != plain(git));
        let config = shared.as_deref().unwrap_or(git).join("config");
        let mut obeyed = self.obeyed(vec![config.clone(), git.join("config.worktree")]);
        obeyed.work_trees = obeyed.work_trees.iter().map(|path| plain(&git.join(path))).collect();
        if let Some(common) = shared {
            let of_work_trees = [git, &common].map(|directory| directory.join("config.worktree"));
            obeyed.settings.extend(of_work_trees.into_iter().filter(|_| obeys_work_tree_settings(&config)));
            obeyed.settings.push(config);
            obeyed.hooks.push(common.join("hooks"));
        }
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

/// Whether git would take this directory for a repository that has its settings in another, whatever it is called.
pub(crate) fn is_sharing_repository(directory: &Path) -> bool {
    let has = |name| std::fs::symlink_metadata(directory.join(name)).is_ok();
    has("HEAD") && has("commondir") && !says_itself(&directory.join("commondir"))
}

/// Whether a `commondir` changes nothing. Such a file is made when a repository is shared that has none.
pub(crate) fn says_itself(commondir: &Path) -> bool {
    plain_file::read(commondir).is_ok_and(|text| text == b".\n")
}

/// Whether git reads `config.worktree`. What can't be read is taken to say so.
pub(crate) fn obeys_work_tree_settings(config: &Path) -> bool {
    match plain_file::beginning(config) {
        Ok(text) => String::from_utf8_lossy(&text).to_ascii_lowercase().contains("worktreeconfig"),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}

/// Without `.` and `..`: out of a link `..` leads as the kernel goes, above what the link leads to.
pub(crate) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                if plain.is_symlink()
                    && let Ok(route) = route::follow(&plain)
                {
                    plain = route.end;
                }
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}
