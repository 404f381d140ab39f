//! Which bytes of a client's stream belong to which request? Each head is handed out to be judged before it goes on.

use super::chunked::Chunked;
use super::{Body, BodyError};
use crate::sniff::{HeadScan, LONGEST_HEAD, Scanned};

/// The place within a client's stream of requests.
#[derive(Debug, Default)]
pub struct Requests {
    place: Place,
}

#[derive(Debug)]
enum Place {
    Head(HeadScan),
    Length(u64),
    Chunked(Chunked),
}

impl Default for Place {
    fn default() -> Place {
        Place::Head(HeadScan::default())
    }
}

/// What the next bytes are.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing is there, or a head that is not complete yet: it stays where it is.
    NeedMore,
    /// This many bytes are a whole head: judge it, then call [`Requests::begin`] with its body.
    Head(usize),
    /// This many bytes belong to the body of the last head that was judged.
    Body(usize),
    /// No request can begin like this.
    Wrong(&'static str),
}

impl Requests {
    /// The most bytes that are kept for more: a head that is longer is wrong.
    pub const MOST: usize = LONGEST_HEAD;

    /// Looks at the bytes that were not yet taken; within a head these only ever grow.
    pub fn step(&mut self, bytes: &[u8]) -> Result<Step, BodyError> {
        if bytes.is_empty() {
            return Ok(Step::NeedMore);
        }
        match &mut self.place {
            Place::Head(scan) => Ok(match scan.advance(bytes) {
                Scanned::NeedMore if bytes.len() > Requests::MOST => Step::Wrong("a request head without end"),
                Scanned::NeedMore => Step::NeedMore,
                Scanned::Head(end) => Step::Head(end),
                Scanned::Wrong(wrong) => Step::Wrong(wrong),
                Scanned::Opaque => Step::Wrong("bytes between requests that are no request"),
            }),
            Place::Length(left) => {
                let step = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= step as u64;
                if *left == 0 {
                    self.place = Place::default();
                }
                Ok(Step::Body(step))
            }
            Place::Chunked(chunked) => {
                let step = chunked.advance(bytes)?;
                if *chunked == Chunked::Done {
                    self.place = Place::default();
                }
                Ok(Step::Body(step))
            }
        }
    }

    /// Whether the stream stands between two requests.
    pub fn at_head(&self) -> bool {
        matches!(self.place, Place::Head(_))
    }

    /// A head was judged; its body follows.
    pub fn begin(&mut self, body: Body) {
        self.place = match body {
            Body::Empty => Place::default(),
            Body::Length(length) => Place::Length(length),
            Body::Chunked => Place::Chunked(Chunked::START),
        };
    }
}
