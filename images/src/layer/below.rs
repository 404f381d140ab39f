//! What lies below a layer? The merged view of the layers under it, as overlayfs would show them.

use std::fs::File;
use std::os::fd::OwnedFd;

use rustix::fs::{FileType, Stat};

use super::inside;
use super::options::{UnpackOptions, is_whiteout};

/// The directories of unpacked layers, lowest first.
#[derive(Debug)]
pub(crate) struct Below<'a> {
    pub(crate) layers: &'a [File],
    pub(crate) options: UnpackOptions,
}

impl Below<'_> {
    /// What a clean path shows: the file, opened with O_PATH, in the layer that it comes from. The path may not lead through
    /// links of the merged view.
    pub(super) fn look(&self, path: &[u8]) -> rustix::io::Result<Option<(&File, OwnedFd, Stat)>> {
        'layers: for layer in self.layers.iter().rev() {
            let mut last = false;
            let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(end, _)| end);
            for end in ends.chain([path.len()]) {
                let prefix = &path[..end];
                let Some((file, stat)) = inside::look(layer, prefix)? else {
                    if last {
                        return Ok(None);
                    }
                    continue 'layers;
                };
                if is_whiteout(&stat) {
                    return Ok(None);
                }
                let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
                match end == path.len() {
                    true => return Ok(Some((layer, file, stat))),
                    false if !is_directory => return Ok(None),
                    false => last |= !prefix.is_empty() && self.options.opaque.is_set(layer, prefix)?,
                }
            }
        }
        Ok(None)
    }
}
