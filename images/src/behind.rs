//! Which files lie behind a link to a directory? By the names that they have through it, as whoever follows the link sees them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::scan::{self, Enter};

/// The most entries that are looked at behind all links of a tree: each may lead to the whole of it.
const MOST: usize = 100_000;

/// Follows links, into each directory once.
pub(crate) struct Behind<'a> {
    trees: &'a [PathBuf],
    met: HashSet<PathBuf>,
    left: usize,
    short: bool,
}

impl Behind<'_> {
    /// For what lies in these trees: the rest nobody inside can change.
    pub(crate) fn new(trees: &[PathBuf]) -> Behind<'_> {
        Behind { trees, met: HashSet::new(), left: MOST, short: false }
    }

    /// Whether there was more than was looked at.
    pub(crate) fn is_short(&self) -> bool {
        self.short
    }

    /// The files behind this link and behind the links there.
    pub(crate) fn files(&mut self, link: &Path) -> Vec<PathBuf> {
        let (mut links, mut files) = (vec![link.to_owned()], Vec::new());
        while let Some(link) = links.pop() {
            let Ok(real) = link.canonicalize() else { continue };
            let is_within = self.trees.iter().any(|tree| real.starts_with(tree));
            if !is_within || !real.is_dir() || !self.met.insert(real.clone()) {
                continue;
            }
            let walked = scan::walk(&real, &[], |found| {
                if self.left == 0 {
                    self.short = true;
                    return Enter::Stop;
                }
                self.left -= 1;
                let path = link.join(found.path.strip_prefix(&real).unwrap_or(&found.path));
                if found.kind.is_symlink() {
                    links.push(path.clone());
                }
                if !found.kind.is_dir() {
                    files.push(path);
                }
                Enter::Yes
            });
            self.short |= walked.is_err();
        }
        files
    }
}
