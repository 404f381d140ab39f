//! How do the entries of one layer become a directory that overlayfs takes as a lower one?
//!
//! Entries are applied in their order. What an entry replaces is removed first; directories that no entry made are made on the
//! way, and what directories say of themselves is applied at the end, when nothing is made in them any more.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::fs::{AtFlags, FileType, Mode, Stat};
use rustix::io::Errno;

use super::attributes::{Attributes, Handle, Notes};
use super::below::Below;
use super::budget::Budget;
use super::entry::{Entry, Kind};
use super::error::LayerError;
use super::inside;
use super::name::{Name, Target};
use super::options::{UnpackOptions, is_whiteout};
use crate::store::remove_at;

/// A layer's directory that is being filled.
pub(super) struct Tree<'a> {
    pub(super) root: OwnedFd,
    pub(super) options: UnpackOptions,
    /// What lies below, where that is known.
    pub(super) below: Option<&'a Below<'a>>,
    pub(super) budget: &'a Budget,
    pub(super) notes: Notes,
    /// What the directories are to say of themselves in the end, by clean path.
    pub(super) pending: BTreeMap<Vec<u8>, Attributes>,
    /// Directories that hide what is below them.
    pub(super) opaque: BTreeSet<Vec<u8>>,
    /// What hides something below and is nothing itself.
    pub(super) whiteouts: BTreeSet<Vec<u8>>,
    /// Directories that no entry made or changed.
    pub(super) implied: BTreeSet<Vec<u8>>,
    /// Files that are here only since a link to them is.
    pub(super) copied: BTreeSet<Vec<u8>>,
    /// The directory that the last entry lay in: as written, clean, and open.
    pub(super) last: Option<(Vec<u8>, Vec<u8>, Rc<OwnedFd>)>,
}

/// What the layers below have a say in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Traces {
    pub(super) implied: Vec<Vec<u8>>,
    pub(super) whiteouts: Vec<Vec<u8>>,
}

impl<'a> Tree<'a> {
    pub(super) fn new(
        root: OwnedFd,
        options: UnpackOptions,
        below: Option<&'a Below<'a>>,
        budget: &'a Budget,
    ) -> Result<Tree<'a>, LayerError> {
        let mut tree = Tree {
            root,
            options,
            below,
            budget,
            notes: Notes::default(),
            pending: BTreeMap::new(),
            opaque: BTreeSet::new(),
            whiteouts: BTreeSet::new(),
            implied: BTreeSet::new(),
            copied: BTreeSet::new(),
            last: None,
        };
        tree.imply(b"")?;
        Ok(tree)
    }

    /// Applies one entry; `content` gives the bytes of a file.
    pub(super) fn apply(&mut self, entry: &Entry, content: impl super::file::Content) -> Result<(), LayerError> {
        self.budget.file()?;
        self.notes.at(&entry.path);
        let name = Name::parse(&entry.path)?;
        let (directory, name) = match name.target {
            Target::Root if entry.kind == Kind::Directory => {
                self.directory_is(b"".to_vec(), Attributes::of(entry));
                return Ok(());
            }
            Target::Root => return Err(LayerError::path("replaces the root directory", &entry.path)),
            Target::Whiteout(hidden) => {
                return self.whiteout(&name.directory, hidden).map_err(|error| error.at(&entry.path));
            }
            Target::Opaque => return self.make_opaque(&name.directory).map_err(|error| error.at(&entry.path)),
            Target::Reserved => return Ok(()),
            Target::File(file) => (name.directory, file),
        };
        let (clean, parent) = self.reach(&directory).map_err(|error| error.at(&entry.path))?;
        let path = inside::join(&clean, name);
        match &entry.kind {
            Kind::Directory => self.directory(&parent, name, path, entry),
            Kind::File { size, pieces } => {
                self.make_way(&parent, name, &path)?;
                super::file::write(self, &parent, name, entry, (*size, pieces.as_deref()), content)
            }
            Kind::HardLink(target) => self.hard_link(&parent, name, &path, target),
            Kind::SymbolicLink(target) => {
                self.make_way(&parent, name, &path)?;
                self.symbolic_link(&parent, name, target, &Attributes::of(entry)).map_err(LayerError::from)
            }
            Kind::Fifo => self.special(&parent, name, &path, entry, FileType::Fifo, 0),
            Kind::Character { major: 0, minor: 0 } => {
                self.notes.add("a character device 0/0".into(), "in an overlay it would hide what is below");
                Ok(())
            }
            Kind::Character { major, minor } => self.special(
                &parent,
                name,
                &path,
                entry,
                FileType::CharacterDevice,
                rustix::fs::makedev(*major, *minor),
            ),
            Kind::Block { major, minor } => {
                self.special(&parent, name, &path, entry, FileType::BlockDevice, rustix::fs::makedev(*major, *minor))
            }
        }
        .map_err(|error: LayerError| error.at(&entry.path))
    }

    /// Applies what waits, removes what would show where it hides nothing, and tells what the layers below have a say in.
    pub(super) fn finish(mut self) -> Result<(Traces, Notes), LayerError> {
        let opaque = std::mem::take(&mut self.opaque);
        // A directory that hides all below is not merged, and its whiteouts would be listed.
        let is_hidden = |path: &[u8]| {
            let mut directory = path;
            while !directory.is_empty() {
                directory = inside::parent(directory);
                if opaque.contains(directory) {
                    return true;
                }
            }
            false
        };
        let (idle, whiteouts): (Vec<_>, Vec<_>) = std::mem::take(&mut self.whiteouts)
            .into_iter()
            .partition(|path| is_hidden(path) || self.below.is_some_and(|below| matches!(below.look(path), Ok(None))));
        for path in idle {
            let (directory, name) = inside::split(&path);
            let (_, parent) = self.reach(directory)?;
            rustix::fs::unlinkat(&parent, name, AtFlags::empty())?;
        }
        for path in &opaque {
            self.options.opaque.set(inside::open_directory(&self.root, path)?).map_err(LayerError::Opaque)?;
        }
        // The deepest first: a mode may close a directory to its owner.
        for (path, attributes) in std::mem::take(&mut self.pending).iter().rev() {
            let directory = inside::open_directory(&self.root, path)?;
            self.notes.at(path);
            attributes.apply(&directory, Handle::Open, self.options.owners, &mut self.notes)?;
        }
        let implied = std::mem::take(&mut self.implied).into_iter().collect();
        Ok((Traces { implied, whiteouts }, self.notes))
    }

    /// What an entry says of a directory.
    fn directory_is(&mut self, path: Vec<u8>, attributes: Attributes) {
        self.implied.remove(&path);
        self.pending.insert(path, attributes);
    }

    fn directory(&mut self, parent: &OwnedFd, name: &[u8], path: Vec<u8>, entry: &Entry) -> Result<(), LayerError> {
        let is_directory = |stat: &Stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        match lstat(parent, name)? {
            Some(stat) if is_directory(&stat) => {}
            Some(stat) if is_whiteout(&stat) => self.make_directory(&path)?,
            // It was something else in this layer, so nothing of what is below it shows.
            Some(_) => {
                self.make_way(parent, name, &path)?;
                self.make_directory(&path)?;
                self.opaque.insert(path.clone());
            }
            None => self.make_directory(&path)?,
        }
        self.directory_is(path, Attributes::of(entry));
        Ok(())
    }

    /// Removes what has this name in the layer.
    pub(super) fn make_way(&mut self, parent: &OwnedFd, name: &[u8], path: &[u8]) -> Result<(), LayerError> {
        match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
            Err(Errno::NOENT) => return Ok(()),
            Ok(()) => {
                self.whiteouts.remove(path);
                self.copied.remove(path);
            }
            Err(Errno::ISDIR | Errno::PERM) => {
                remove_at(parent, name)?;
                self.forget_below(path);
            }
            Err(error) => return Err(error.into()),
        }
        self.last = None;
        Ok(())
    }

    fn forget_below(&mut self, path: &[u8]) {
        fn clear(set: &mut BTreeSet<Vec<u8>>, path: &[u8], from: &[u8], to: &[u8]) {
            set.remove(path);
            let gone: Vec<Vec<u8>> = set.range(from.to_owned()..to.to_owned()).cloned().collect();
            for path in &gone {
                set.remove(path);
            }
        }
        // All that begins with the path and a slash sorts between these.
        let (from, to) = ([path, b"/"].concat(), [path, b"0"].concat());
        let gone: Vec<Vec<u8>> = self.pending.range(from.clone()..to.clone()).map(|(path, _)| path.clone()).collect();
        gone.iter().for_each(|path| drop(self.pending.remove(path)));
        self.pending.remove(path);
        for set in [&mut self.opaque, &mut self.whiteouts, &mut self.implied, &mut self.copied] {
            clear(set, path, &from, &to);
        }
    }

    fn whiteout(&mut self, directory: &[u8], name: &[u8]) -> Result<(), LayerError> {
        let (clean, parent) = self.reach(directory)?;
        let path = inside::join(&clean, name);
        if self.copied.contains(&path) {
            self.make_way(&parent, name, &path)?;
        }
        match lstat(&parent, name)? {
            // Only what is below is hidden, not what this layer has.
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                self.opaque.insert(path);
            }
            Some(_) => {}
            None => {
                rustix::fs::mknodat(&parent, name, FileType::CharacterDevice, Mode::empty(), 0)
                    .map_err(LayerError::Whiteout)?;
                self.whiteouts.insert(path);
            }
        }
        Ok(())
    }

    fn make_opaque(&mut self, directory: &[u8]) -> Result<(), LayerError> {
        let (clean, _) = self.reach(directory)?;
        self.opaque.insert(clean);
        Ok(())
    }
}

pub(super) fn lstat(parent: &OwnedFd, name: &[u8]) -> rustix::io::Result<Option<Stat>> {
    match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(None),
        stat => stat.map(Some),
    }
}
