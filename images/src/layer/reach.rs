//! Which directory of a layer does a path lead to? Through links of this layer and of those below, with the layer as `/`.

use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::attributes::{self, Attributes};
use super::entry::Time;
use super::error::LayerError;
use super::inside;
use super::options::is_whiteout;
use super::tree::Tree;

/// A directory that nothing says anything of.
const PLAIN: u32 = 0o755;

impl Tree<'_> {
    /// Opens the directory that a path names with the layer as `/`, and makes what is missing.
    pub(super) fn reach(&mut self, written: &[u8]) -> Result<(Vec<u8>, Rc<OwnedFd>), LayerError> {
        if let Some((last, clean, directory)) = &self.last
            && last == written
        {
            return Ok((clean.clone(), directory.clone()));
        }
        let (clean, directory) = match inside::open(&self.root, written, OFlags::PATH | OFlags::DIRECTORY) {
            Ok(directory) => (written.to_owned(), directory),
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => self.walk(written)?,
            Err(error) => return Err(error.into()),
        };
        let directory = Rc::new(directory);
        self.last = Some((written.to_owned(), clean.clone(), directory.clone()));
        Ok((clean, directory))
    }

    /// The same, step by step: through links of this layer and of those below, and over what is missing.
    fn walk(&mut self, written: &[u8]) -> Result<(Vec<u8>, OwnedFd), LayerError> {
        let mut todo: Vec<Vec<u8>> = inside::names(written).rev().map(<[u8]>::to_owned).collect();
        let (mut clean, mut links) = (Vec::new(), 0);
        while let Some(name) = todo.pop() {
            if name == b".." {
                clean.truncate(inside::parent(&clean).len());
                continue;
            }
            let next = inside::join(&clean, &name);
            let there = inside::look(&self.root, &next)?.filter(|(_, stat)| !is_whiteout(stat));
            let link = match &there {
                Some((file, stat)) => match FileType::from_raw_mode(stat.st_mode) {
                    FileType::Directory => None,
                    FileType::Symlink => Some(inside::link_text(file)?),
                    _ => return Err(LayerError::path("lies in what is no directory", written)),
                },
                None => self.link_below(&next)?,
            };
            match link {
                Some(text) => {
                    links += 1;
                    if links > inside::LINKS || text.len() > crate::limits::PATH {
                        return Err(LayerError::path("leads through too many links", written));
                    }
                    if text.starts_with(b"/") {
                        clean.clear();
                    }
                    todo.extend(inside::names(&text).rev().map(<[u8]>::to_owned));
                }
                None => {
                    if there.is_none() {
                        self.imply(&next)?;
                    }
                    clean = next;
                }
            }
        }
        let directory = inside::open(&self.root, &clean, OFlags::PATH | OFlags::DIRECTORY)?;
        Ok((clean, directory))
    }

    /// What a link in the layers below says, where there is one and this layer does not hide it.
    fn link_below(&self, path: &[u8]) -> Result<Option<Vec<u8>>, LayerError> {
        if self.hides(path) {
            return Ok(None);
        }
        match self.shown_below(path)? {
            Some((file, stat)) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
                Ok(Some(inside::link_text(file)?))
            }
            _ => Ok(None),
        }
    }

    pub(super) fn shown_below(&self, path: &[u8]) -> Result<Option<(OwnedFd, Stat)>, LayerError> {
        let Some(below) = self.below.filter(|_| !self.hides(path)) else { return Ok(None) };
        Ok(below.look(path)?.map(|(_, file, stat)| (file, stat)))
    }

    /// Whether this layer hides what lies at a path below: by a whiteout, or a directory above that is opaque.
    fn hides(&self, path: &[u8]) -> bool {
        let mut directory = path;
        if self.whiteouts.contains(path) {
            return true;
        }
        while !directory.is_empty() {
            directory = inside::parent(directory);
            if self.opaque.contains(directory) || self.whiteouts.contains(directory) {
                return true;
            }
        }
        false
    }

    /// Makes a directory that no entry has made: as it is below, else plain.
    pub(super) fn imply(&mut self, path: &[u8]) -> Result<(), LayerError> {
        let below =
            self.shown_below(path)?.filter(|(_, stat)| FileType::from_raw_mode(stat.st_mode) == FileType::Directory);
        let attributes = match below {
            Some((file, stat)) => attributes::read(&file, &stat, self.options.owners)?,
            None => Attributes { mode: PLAIN, mtime: Time::default(), ..Attributes::default() },
        };
        if !path.is_empty() {
            self.make_directory(path)?;
        }
        self.implied.insert(path.to_owned());
        self.pending.insert(path.to_owned(), attributes);
        Ok(())
    }

    /// Makes a directory where there is none; in the place of a whiteout it hides what the whiteout hid.
    pub(super) fn make_directory(&mut self, path: &[u8]) -> Result<(), LayerError> {
        let (directory, name) = inside::split(path);
        let parent = inside::open(&self.root, directory, OFlags::PATH | OFlags::DIRECTORY)?;
        if self.whiteouts.remove(path) {
            rustix::fs::unlinkat(&parent, name, AtFlags::empty())?;
            self.opaque.insert(path.to_owned());
        }
        Ok(rustix::fs::mkdirat(&parent, name, Mode::RWXU)?)
    }
}
