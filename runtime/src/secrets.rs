//! Which parts of a text must not be written? The values that a workload was given, in the spellings by which they get out, and
//! in commands what has the shape of a well-known token.
//!
//! Texts and values are compared without regard to case and dots, since both get lost in names, and with percent-encoding undone.
//! What is found is replaced by `[redacted NAME #TAG]`; the tag differs where what was there did, and says nothing else of it.

mod shapes;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use base64ct::{Base64Unpadded, Encoding};
use bottle_evidence::{hex, sha256};

/// Shorter values are none to look for: they would be found everywhere.
pub(crate) const LEAST: usize = 8;

/// What is longer than this gets out in pieces, since no name has room for it: then so much of it in a row is looked for.
const WHOLE: usize = 48;
const PIECE: usize = 32;

/// So much of a value is looked for.
const MOST: usize = 8192;

/// Places at which the same eight bytes begin; more would make a value of few letters slow to look for.
const PLACES: usize = 16;

/// How the mark begins that a text ends with when it was cut.
const CUT: &str = "…[+";

/// The secrets of one run. More may come to be known while it runs.
#[derive(Default)]
pub(crate) struct Secrets {
    key: [u8; 32],
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    spellings: Vec<Spelling>,
    /// By their first bytes, the spellings and where in them these are.
    places: HashMap<[u8; LEAST], Vec<(usize, usize)>>,
}

/// One way to write a value, folded.
struct Spelling {
    name: String,
    bytes: Vec<u8>,
}

/// A text without what is not compared, and from where to where in it each byte comes.
struct Folded {
    bytes: Vec<u8>,
    from: Vec<(usize, usize)>,
}

impl Secrets {
    /// None yet. With the key, which is nobody's to know, tags are made.
    pub(crate) fn new(key: [u8; 32]) -> Secrets {
        Secrets { key, known: RwLock::default() }
    }

    /// Looks for this value from now on, unless it is none: too short, a host's name, or paths.
    pub(crate) fn add(&self, name: &str, value: &[u8]) {
        let value = &value[..value.len().min(MOST)];
        if value.len() < LEAST || is_host(value) || is_path(value) {
            return;
        }
        // What is shown of it must not bring what is looked for into a text.
        let name: String =
            name.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '_').take(32).collect();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for bytes in spellings(value) {
            known.add(Spelling { name: name.clone(), bytes });
        }
    }

    /// The text without them.
    pub(crate) fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.spellings.is_empty() || text.len() < LEAST {
            return Cow::Borrowed(text);
        }
        let (body, mark) = text.rfind(CUT).map_or((text, ""), |at| text.split_at(at));
        let folded = Folded::of(body.as_bytes());
        let (mut shown, mut done, mut at) = (String::new(), 0, 0);
        while at + LEAST <= folded.bytes.len() {
            let Some((length, spelling)) = known.longest(&folded.bytes[at..], !mark.is_empty()) else {
                at += 1;
                continue;
            };
            // A piece of a value may begin within a letter.
            let (start, end) = (folded.from[at].0, folded.from[at + length - 1].1);
            let (start, end) = (body.floor_char_boundary(start).max(done), body.ceil_char_boundary(end));
            shown.push_str(&body[done..start]);
            shown.push_str(&self.mark(&spelling.name, &body[start..end]));
            (done, at) = (end, at + length);
        }
        if done == 0 {
            return Cow::Borrowed(text);
        }
        Cow::Owned(shown + &body[done..] + mark)
    }

    /// A command without them, and without what has the shape of a token.
    pub(crate) fn redact_command<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        words.into_iter().map(|word| shapes::redact(&self.redact(word), |token| self.mark("token", token))).collect()
    }

    fn mark(&self, name: &str, text: &str) -> String {
        let tag = sha256(&[&self.key[..], text.as_bytes()].concat());
        format!("[redacted {name} #{}]", hex::encode(&tag.0[..3]))
    }
}

impl Known {
    fn add(&mut self, spelling: Spelling) {
        let number = self.spellings.len();
        let last = if spelling.bytes.len() > WHOLE { spelling.bytes.len() - PIECE } else { 0 };
        for at in 0..=last {
            let Some(first) = spelling.bytes.get(at..).and_then(<[u8]>::first_chunk) else { return };
            let places = self.places.entry(*first).or_default();
            if places.len() < PLACES {
                places.push((number, at));
            }
        }
        self.spellings.push(spelling);
    }

    /// How much of the beginning of these bytes is of a secret, and of which. Where they are cut, the rest of it may be beyond.
    fn longest(&self, bytes: &[u8], is_cut: bool) -> Option<(usize, &Spelling)> {
        let places = self.places.get(bytes.first_chunk()?)?;
        let found = places.iter().filter_map(|&(number, at)| {
            let spelling = &self.spellings[number];
            let sought = &spelling.bytes[at..];
            let same = sought.iter().zip(bytes).take_while(|(one, other)| one == other).count();
            let needed = if spelling.bytes.len() > WHOLE { PIECE } else { sought.len() };
            (same >= needed || is_cut && same == bytes.len()).then_some((same, spelling))
        });
        found.max_by_key(|(same, _)| *same)
    }
}

impl Folded {
    fn of(text: &[u8]) -> Folded {
        let (mut bytes, mut from, mut at) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len()), 0);
        while at < text.len() {
            let (byte, length) = encoded(&text[at..]).map_or((text[at], 1), |byte| (byte, 3));
            if byte != b'.' {
                bytes.push(byte.to_ascii_lowercase());
                from.push((at, at + length));
            }
            at += length;
        }
        Folded { bytes, from }
    }
}

/// The byte that stands here as `%41`. What is not ASCII is left as it stands: a text is replaced at its letters.
fn encoded(text: &[u8]) -> Option<u8> {
    let digits = text.strip_prefix(b"%")?.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// As it is, in hex, and in both kinds of base64 from each of the three places at which it may begin in what was encoded.
fn spellings(value: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![Folded::of(value).bytes, Folded::of(hex::encode(value).as_bytes()).bytes];
    for before in 0..3_usize {
        let whole = Base64Unpadded::encode_string(&[&vec![0; before], value].concat());
        // The letters that depend on what is before it and after it are left out.
        let (first, last) = ((before * 8).div_ceil(6), (before + value.len()) * 8 / 6);
        let letters = &whole.as_bytes()[first..last];
        let url: Vec<u8> = letters
            .iter()
            .map(|letter| match letter {
                b'+' => b'-',
                b'/' => b'_',
                other => *other,
            })
            .collect();
        all.extend([Folded::of(letters).bytes, Folded::of(&url).bytes]);
    }
    all.sort();
    all.dedup();
    all.retain(|spelling| spelling.len() >= LEAST);
    all
}

/// Whether it is a name as hosts have them, which is no secret and what a log is there for: labels in small letters, several of them,
/// the last without digits.
fn is_host(value: &[u8]) -> bool {
    let is_label = |label: &[u8]| {
        !label.is_empty()
            && label.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
    };
    let labels: Vec<&[u8]> = value.split(|byte| *byte == b'.').collect();
    let top = labels.last().is_some_and(|top| top.len() > 1 && top.iter().all(u8::is_ascii_lowercase));
    labels.len() > 1 && top && labels.into_iter().all(is_label)
}

/// Whether it is a path, or several as PATH has them, in small letters.
fn is_path(value: &[u8]) -> bool {
    value.starts_with(b"/")
        && value.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"/._-:".contains(byte))
}

#[cfg(test)]
mod tests;
