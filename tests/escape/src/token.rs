//! How is an attempt recognised outside? By a text that it carries, or where none fits, by an address that is its own.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::field::Field;
use crate::tried::NotApplicable;

const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// What all tokens of a run begin with: three letters that mean a token, and five of the seed's.
pub(crate) const PREFIX: usize = 8;
/// How long a token is.
pub const LENGTH: usize = 28;

/// What one attempt of one run carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    text: String,
    place: u16,
    marks: Option<(Ipv4Addr, Ipv6Addr)>,
    ports: (u16, u16),
}

impl Token {
    /// The token of the attempt with this id, which is at this place of the catalogue.
    pub fn of(field: &Field, id: &str, place: u16) -> Self {
        let text = format!("{}{}", prefix(&field.seed), letters(&format!("{}/{id}", field.seed), LENGTH - PREFIX));
        let marks = field.marks.as_ref().map(|marks| {
            let v4 = Ipv4Addr::from_bits(marks.v4.to_bits() | u32::from(place));
            (v4, Ipv6Addr::from_bits(marks.v6.to_bits() | u128::from(place)))
        });
        Self { text, place, marks, ports: (field.ports.tcp, field.ports.udp) }
    }

    /// Lower-case letters and digits: safe in a DNS label, an HTTP target, a server name.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The same as bytes.
    pub fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// A name that is this attempt's own, below the attacker's zone.
    ///
    /// # Errors
    /// Where the field has no zone.
    pub fn name(&self, field: &Field) -> Result<String, NotApplicable> {
        Ok(format!("{}.{}", self.text, field.names()?.zone))
    }

    /// The address that means this attempt; a packet to or from it that is seen outside is an escape.
    ///
    /// # Errors
    /// Where the field has no marks.
    pub fn v4(&self) -> Result<Ipv4Addr, NotApplicable> {
        self.marks.map(|(v4, _)| v4).ok_or(NotApplicable::field("marks"))
    }

    /// The same for IPv6.
    ///
    /// # Errors
    /// Where the field has no marks.
    pub fn v6(&self) -> Result<Ipv6Addr, NotApplicable> {
        self.marks.map(|(_, v6)| v6).ok_or(NotApplicable::field("marks"))
    }

    /// A multicast group that is this attempt's own; a membership report with it that is seen outside is an escape.
    ///
    /// # Errors
    /// Where the field has no marks.
    pub fn group(&self) -> Result<Ipv4Addr, NotApplicable> {
        let [.., high, low] = self.v4()?.octets();
        Ok(Ipv4Addr::new(239, 200, high, low))
    }

    /// A TCP collector at the attempt's own address.
    ///
    /// # Errors
    /// Where the field has no marks.
    pub fn tcp(&self) -> Result<SocketAddr, NotApplicable> {
        Ok((self.v4()?, self.ports.0).into())
    }

    /// A UDP collector at the attempt's own address.
    ///
    /// # Errors
    /// Where the field has no marks.
    pub fn udp(&self) -> Result<SocketAddr, NotApplicable> {
        Ok((self.v4()?, self.ports.1).into())
    }

    /// A number below 65,536 that is this attempt's own, for identifications and ports.
    pub fn number(&self) -> u16 {
        self.place
    }
}

/// What all tokens of a seed begin with.
pub(crate) fn prefix(seed: &str) -> String {
    format!("esc{}", letters(seed, PREFIX - 3))
}

/// Whether anything in these bytes begins like a token of this run.
pub(crate) fn in_bytes(bytes: &[u8], prefix: &str) -> bool {
    bytes.windows(prefix.len()).any(|window| window.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// Letters that depend on all of a text. No secret: nobody gains by guessing a token but the one who has the field.
fn letters(text: &str, length: usize) -> String {
    let mut state = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as usize % LETTERS.len()
    };
    (0..length).map(|_| char::from(LETTERS[next()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_label_and_no_other_attempt_s() {
        let field = Field { seed: "s".into(), ..Field::default() };
        let (one, other) = (Token::of(&field, "a", 0), Token::of(&field, "b", 1));
        assert_ne!(one.text(), other.text());
        assert_eq!(one.text().len(), LENGTH);
        assert!(one.bytes().iter().all(|byte| LETTERS.contains(byte)));
        let next = Field { seed: "t".into(), ..Field::default() };
        assert_ne!(Token::of(&next, "a", 0).text()[..PREFIX], one.text()[..PREFIX]);
    }
}
