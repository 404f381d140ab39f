//! How much may still be unpacked? Shared by the layers of an image, which are unpacked at the same time.

use std::sync::atomic::{AtomicU64, Ordering};

use super::error::LayerError;
use crate::limits;

/// What was unpacked so far.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    bytes: AtomicU64,
    files: AtomicU64,
    devices: AtomicU64,
}

impl Budget {
    pub(crate) fn bytes(&self, count: u64) -> Result<(), LayerError> {
        take(&self.bytes, count, limits::UNPACKED, "bytes")
    }

    pub(crate) fn file(&self) -> Result<(), LayerError> {
        self.files(1)
    }

    pub(crate) fn files(&self, count: u64) -> Result<(), LayerError> {
        take(&self.files, count, limits::FILES, "files")
    }

    pub(super) fn device(&self) -> Result<(), LayerError> {
        take(&self.devices, 1, limits::DEVICES, "devices and FIFOs")
    }
}

fn take(used: &AtomicU64, count: u64, limit: u64, what: &'static str) -> Result<(), LayerError> {
    let before = used.fetch_add(count, Ordering::Relaxed);
    if before.saturating_add(count) > limit { Err(LayerError::TooMuch { what, limit }) } else { Ok(()) }
}
