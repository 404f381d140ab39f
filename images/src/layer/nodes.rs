//! How are links and nodes made in a layer, those that lead to what lies below included?

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::attributes::{self, Attributes, Handle};
use super::entry::Entry;
use super::error::LayerError;
use super::inside;
use super::name::{Name, Target};
use super::options::{Devices, is_whiteout};
use super::tree::{Tree, lstat};

impl Tree<'_> {
    pub(super) fn hard_link(
        &mut self,
        parent: &OwnedFd,
        name: &[u8],
        path: &[u8],
        target: &[u8],
    ) -> Result<(), LayerError> {
        let wanted = Name::parse(target).map_err(|_| LayerError::target(path, target))?;
        let Target::File(file) = wanted.target else { return Err(LayerError::target(path, target)) };
        let (clean, directory) = self.reach(&wanted.directory)?;
        let from = inside::join(&clean, file);
        if from == path {
            return Ok(());
        }
        match lstat(&directory, file)? {
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory || is_whiteout(&stat) => {
                return Err(LayerError::target(path, target));
            }
            Some(_) => {}
            None => {
                self.copy_up(&directory, file, &from)?;
                self.copied.insert(from);
            }
        }
        self.make_way(parent, name, path)?;
        Ok(rustix::fs::linkat(&directory, file, parent, name, AtFlags::empty())?)
    }

    /// Brings a file of the layers below into this one, as overlayfs does before it links it.
    fn copy_up(&mut self, directory: &OwnedFd, name: &[u8], path: &[u8]) -> Result<(), LayerError> {
        if self.below.is_none() {
            return Err(LayerError::NeedsBelow);
        }
        let (file, stat) = self.shown_below(path)?.ok_or_else(|| LayerError::target(path, path))?;
        let attributes = attributes::read(&file, &stat, self.options.owners)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => super::file::copy(self, directory, name, &file, stat.st_size as u64, &attributes),
            FileType::Symlink => Ok(self.symbolic_link(directory, name, &inside::link_text(&file)?, &attributes)?),
            _ => Err(LayerError::target(path, path)),
        }
    }

    pub(super) fn symbolic_link(
        &mut self,
        parent: &OwnedFd,
        name: &[u8],
        target: &[u8],
        attributes: &Attributes,
    ) -> rustix::io::Result<()> {
        rustix::fs::symlinkat(target, parent, name)?;
        let link = inside::open(parent, name, OFlags::PATH)?;
        attributes.apply(&link, Handle::Link, self.options.owners, &mut self.notes)
    }

    pub(super) fn special(
        &mut self,
        parent: &OwnedFd,
        name: &[u8],
        path: &[u8],
        entry: &Entry,
        kind: FileType,
        device: u64,
    ) -> Result<(), LayerError> {
        self.budget.device()?;
        self.make_way(parent, name, path)?;
        let made = match (kind, self.options.devices) {
            (FileType::Fifo, _) | (_, Devices::Made) => rustix::fs::mknodat(parent, name, kind, Mode::RWXU, device),
            (_, Devices::LeftOut) => Err(Errno::PERM),
        };
        match made {
            Err(Errno::PERM) => {
                self.notes.add("a device node".into(), "making one takes root");
                return Ok(());
            }
            made => made?,
        }
        let node = inside::open(parent, name, OFlags::PATH)?;
        Ok(Attributes::of(entry).apply(&node, Handle::Path, self.options.owners, &mut self.notes)?)
    }
}
