//! How does a layer's archive come out of its packing? On a thread of its own, digested and counted as it passes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, SyncSender};

use super::budget::Budget;
use super::error::LayerError;
use crate::digest::{Digest, Hasher};
use crate::limits;
use crate::media::Packing;

/// Bytes of one piece that goes from the thread that unpacks to the one that applies, and how many may wait.
const PIECE: usize = 256 << 10;
pub(super) const WAITING: usize = 4;

/// Unpacks all of it into pieces. The digest of what came out, unless nobody takes the pieces any more.
pub(super) fn produce(
    file: File,
    (packing, packed): (Packing, u64),
    budget: &Budget,
    pieces: &SyncSender<Vec<u8>>,
) -> Result<Option<Digest>, LayerError> {
    let mut from = open(file, packing).map_err(LayerError::Packed)?;
    let (mut hasher, mut total) = (Hasher::default(), 0_u64);
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        (&mut from).take(PIECE as u64).read_to_end(&mut piece).map_err(LayerError::Packed)?;
        if piece.is_empty() {
            return Ok(Some(hasher.finish()));
        }
        total += piece.len() as u64;
        if total > limits::RATIO_FREE && total / limits::RATIO > packed {
            return Err(LayerError::Bomb { bytes: total, packed });
        }
        budget.bytes(piece.len() as u64)?;
        hasher.update(&piece);
        if pieces.send(piece).is_err() {
            return Ok(None);
        }
    }
}

/// What a file holds, out of its packing.
pub(crate) fn open(file: File, packing: Packing) -> io::Result<Box<dyn Read>> {
    let file = BufReader::with_capacity(PIECE, file);
    Ok(match packing {
        Packing::Plain => Box::new(file),
        // Several members may follow each other; what is none is an error.
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        Packing::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(file)?;
            // 128 MiB: what the zstd tool takes without being asked to.
            decoder.window_log_max(27)?;
            Box::new(decoder)
        }
    })
}

/// The pieces as one stream.
pub(super) struct Pieces {
    from: Receiver<Vec<u8>>,
    piece: Vec<u8>,
    position: usize,
}

impl Pieces {
    pub(super) fn new(from: Receiver<Vec<u8>>) -> Pieces {
        Pieces { from, piece: Vec::new(), position: 0 }
    }
}

impl BufRead for Pieces {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.position == self.piece.len() {
            // The end, or that the other side gave up, which says so itself.
            self.piece = self.from.recv().unwrap_or_default();
            self.position = 0;
        }
        Ok(&self.piece[self.position..])
    }

    fn consume(&mut self, count: usize) {
        self.position += count;
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let there = self.fill_buf()?;
        let count = there.len().min(buffer.len());
        buffer[..count].copy_from_slice(&there[..count]);
        self.consume(count);
        Ok(count)
    }
}
