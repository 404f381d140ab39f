//! What do the client's first bytes show? A pure answer, the same however they were cut into pieces.
//!
//! An answer, once given, holds for every continuation of the same bytes: nothing that comes later can change what an
//! earlier part was allowed for.

mod hello;
mod line;
mod records;
mod second;

use bottle_policy::Seen;

use crate::Detail;
pub(crate) use line::{HeadScan, LONGEST_HEAD, Scanned};
use records::Records;

/// An answer, or the wish for more bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sniffed {
    /// What is there fits several answers.
    NeedMore,
    /// The answer.
    Seen(Seen),
}

/// What bytes show that begin a connection; `eof` says that no more will come.
pub fn classify(bytes: &[u8], eof: bool) -> Sniffed {
    let mut sniffer = Sniffer::default();
    match sniffer.push(bytes) {
        Sniffed::NeedMore if eof => Sniffed::Seen(sniffer.end()),
        other => other,
    }
}

/// The same over pieces as they arrive; each byte is looked at a bounded number of times. Keeps at most [`Sniffer::MOST`] bytes.
#[derive(Debug, Default)]
pub struct Sniffer {
    bytes: Vec<u8>,
    kind: Kind,
}

#[derive(Debug, Default)]
enum Kind {
    #[default]
    Unknown,
    Tls(Records),
    Line(HeadScan),
    Settled(Seen),
}

impl Sniffer {
    /// The most bytes that are looked at: a ClientHello of 64 KiB in small records.
    pub const MOST: usize = 128 * 1024;

    /// Takes the next piece.
    pub fn push(&mut self, piece: &[u8]) -> Sniffed {
        self.bytes.extend_from_slice(piece);
        let answer = self.look();
        if let Sniffed::Seen(seen) = &answer {
            self.kind = Kind::Settled(seen.clone());
        }
        answer
    }

    /// The answer when no more bytes come.
    pub fn end(&self) -> Seen {
        match &self.kind {
            Kind::Settled(seen) => seen.clone(),
            Kind::Unknown if self.bytes.is_empty() => Seen::Silent,
            Kind::Unknown => Seen::Opaque,
            Kind::Tls(_) => unparsable("the ClientHello is not complete"),
            Kind::Line(scan) if scan.is_http() => unparsable("the HTTP request head is not complete"),
            Kind::Line(_) => Seen::Opaque,
        }
    }

    /// Everything that was pushed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Everything that was pushed, to be relayed.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn look(&mut self) -> Sniffed {
        if matches!(self.kind, Kind::Unknown) {
            match first_two(&self.bytes) {
                Some(kind) => self.kind = kind,
                None => return Sniffed::NeedMore,
            }
        }
        let answer = match &mut self.kind {
            Kind::Unknown => return Sniffed::NeedMore,
            Kind::Settled(seen) => return Sniffed::Seen(seen.clone()),
            Kind::Tls(records) => match records.advance(&self.bytes) {
                Ok(None) => Sniffed::NeedMore,
                Ok(Some(end)) => Sniffed::Seen(hello_seen(records.handshake(), &self.bytes[..end])),
                Err(wrong) => Sniffed::Seen(unparsable(wrong)),
            },
            Kind::Line(scan) => match scan.advance(&self.bytes) {
                Scanned::NeedMore => Sniffed::NeedMore,
                Scanned::Opaque => Sniffed::Seen(Seen::Opaque),
                Scanned::Wrong(what) => Sniffed::Seen(unparsable(what)),
                Scanned::Head(end) => Sniffed::Seen(http_seen(&self.bytes[..end])),
            },
        };
        match answer {
            Sniffed::NeedMore if self.bytes.len() >= Sniffer::MOST => {
                Sniffed::Seen(unparsable("no end within 128 KiB"))
            }
            other => other,
        }
    }
}

/// TLS shows in two bytes: a handshake record of any version 3.x. Everything else is read as a line.
fn first_two(bytes: &[u8]) -> Option<Kind> {
    match bytes {
        [] | [records::HANDSHAKE] => None,
        [records::HANDSHAKE, 3, ..] => Some(Kind::Tls(Records::default())),
        _ => Some(Kind::Line(HeadScan::default())),
    }
}

fn hello_seen(handshake: &[u8], records: &[u8]) -> Seen {
    let hello = match hello::parse(handshake) {
        Ok(hello) => hello,
        Err(wrong) => return unparsable(wrong),
    };
    match second::agrees(records, hello.sni.as_ref()) {
        Ok(()) => Seen::Tls { sni: hello.sni, ech: hello.ech },
        Err(wrong) => unparsable(wrong),
    }
}

fn http_seen(head: &[u8]) -> Seen {
    match crate::http::Head::parse(head) {
        Ok(head) => head.seen(),
        Err(wrong) => unparsable(wrong),
    }
}

fn unparsable(what: impl std::fmt::Display) -> Seen {
    Seen::Unparsable(Detail::new(what).into())
}
