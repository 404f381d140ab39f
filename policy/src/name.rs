//! What is a DNS name that a policy, a query or a client may speak of?

use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use crate::this_host;

/// A DNS name in canonical form: lower-case A-labels, no trailing dot, at least one label, no numeric last label.
///
/// Underscores are allowed except in the last label: service names (`_http._tcp.example.com`) are asked for by ordinary
/// DNS clients, and hosts with an underscore exist. Labels neither start nor end with a hyphen. Names that mean the
/// machine itself (`localhost` and its kin) and spellings of addresses are no names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Arc<str>);

/// Why a string is not a [`Name`].
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a DNS name: {0}")]
pub struct NameError(pub &'static str);

impl Name {
    /// Reads a name as people write it: any case, Unicode or `xn--` labels, one trailing dot or none.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let ascii = to_ascii(text)?.to_ascii_lowercase();
        let name = ascii.strip_suffix('.').unwrap_or(&ascii);
        check(name)?;
        Ok(Self(name.into()))
    }

    /// Reads a name as a protocol carries it (SNI, Host, a DNS question): as [`Name::parse`], but ASCII only.
    pub fn from_wire(bytes: &[u8]) -> Result<Self, NameError> {
        if !bytes.is_ascii() {
            return Err(NameError("a name on the wire is ASCII"));
        }
        Self::parse(std::str::from_utf8(bytes).map_err(|_| NameError("a name on the wire is ASCII"))?)
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The labels from the left; `rev()` walks from the top-level domain down.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('.')
    }

    /// Whether no rule and no mode can ever reach it: names below `.invalid`, the gate's own name `_egress.local`, and
    /// `bottle.internal` with all below it except [the host's loopback](crate::this_host).
    pub fn is_reserved(&self) -> bool {
        let unused = this_host::is_within(self) && !self.is_this_host();
        self.labels().next_back() == Some("invalid") || self.as_str() == "_egress.local" || unused
    }

    /// Whether it stands for [the host's loopback](crate::this_host), which only a rule that names it exactly opens.
    pub fn is_this_host(&self) -> bool {
        self.as_str() == this_host::NAME
    }

    /// Whether it stands for an address (RFC 1035 section 3.5, RFC 3596 section 2.5): whose address that is, is asked by it.
    pub fn is_reverse(&self) -> bool {
        [".in-addr.arpa", ".ip6.arpa"].iter().any(|zone| self.as_str().ends_with(zone))
    }
}

const LONGEST: usize = 253;
const LONGEST_LABEL: usize = 63;
const THIS_MACHINE: [&str; 8] = [
    "localhost",
    "localhost4",
    "localhost6",
    "localdomain",
    "localdomain4",
    "localdomain6",
    "ip6-localhost",
    "ip6-loopback",
];

/// Only names with other than plain labels go through IDNA, whose hyphen rules would refuse hosts that exist (`r3---sn-…`).
fn to_ascii(text: &str) -> Result<Cow<'_, str>, NameError> {
    if text.len() > 4 * LONGEST {
        return Err(NameError("longer than 253 bytes"));
    }
    let plain = text.is_ascii()
        && !text.split('.').any(|label| label.len() >= 4 && label.as_bytes()[..4].eq_ignore_ascii_case(b"xn--"));
    if plain {
        return Ok(Cow::Borrowed(text));
    }
    Uts46::new()
        .to_ascii(text.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow, DnsLength::Ignore)
        .map_err(|_| NameError("not valid under IDNA"))
}

fn check(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError("it is empty"));
    }
    if name.len() > LONGEST {
        return Err(NameError("longer than 253 bytes"));
    }
    if name.ends_with('.') {
        return Err(NameError("more than one trailing dot"));
    }
    name.split('.').try_for_each(check_label)?;
    check_last(name.rsplit('.').next().unwrap_or(name))
}

fn check_label(label: &str) -> Result<(), NameError> {
    if label.is_empty() {
        return Err(NameError("an empty label"));
    }
    if label.len() > LONGEST_LABEL {
        return Err(NameError("a label longer than 63 bytes"));
    }
    label.bytes().try_for_each(check_byte)?;
    if label.starts_with('-') || label.ends_with('-') {
        return Err(NameError("a label starts or ends with a hyphen"));
    }
    Ok(())
}

fn check_byte(byte: u8) -> Result<(), NameError> {
    match byte {
        b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => Ok(()),
        0 => Err(NameError("a NUL byte")),
        1..=31 | 127 => Err(NameError("a control character")),
        b'%' => Err(NameError("a percent sign: names are not percent-encoded here")),
        b'*' => Err(NameError("a star stands only at the start of a pattern, as in `*.example.com`")),
        b':' => Err(NameError("a colon: ports and IPv6 addresses go elsewhere")),
        b'/' => Err(NameError("a slash: a name has no path and no scheme")),
        b'@' => Err(NameError("an at sign: a name has no user")),
        b' ' => Err(NameError("a space")),
        _ => Err(NameError("a character that no host name has")),
    }
}

/// Resolvers read a last label of digits, or of `0x` and hex digits, as an IPv4 address (`0x7f.1`, `0177.0.0.1`, `2130706433`).
fn check_last(label: &str) -> Result<(), NameError> {
    if THIS_MACHINE.contains(&label) {
        return Err(NameError("it means this machine itself"));
    }
    let hex = label.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
    if hex || label.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NameError("the last label looks like a number, so it spells an address"));
    }
    if label.contains('_') {
        return Err(NameError("an underscore in the last label"));
    }
    Ok(())
}

impl FromStr for Name {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0.to_string()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> &'static str {
        Name::parse(text).expect_err(text).0
    }

    #[test]
    fn case_trailing_dot_and_idna_do_not_matter() {
        for text in ["Bücher.Example", "bücher.example.", "XN--BCHER-KVA.example", "ｂücher。example。"] {
            assert_eq!(Name::parse(text).map(String::from), Ok("xn--bcher-kva.example".to_owned()), "{text}");
        }
    }

    #[test]
    fn names_of_this_machine_are_refused() {
        for text in ["localhost", "LOCALHOST.", "x.localhost", "localhost.localdomain", "ip6-loopback", "localhost6"] {
            assert_eq!(refused(text), "it means this machine itself", "{text}");
        }
    }

    #[test]
    fn spellings_of_addresses_are_refused() {
        let spellings = [
            "127.0.0.1",
            "127.1",
            "0x7f.1",
            "0x7F000001",
            "0177.0.0.1",
            "2130706433",
            "1.2.3.4.",
            "a.1",
            "0x",
            "１２７.０.０.１",
        ];
        for text in spellings {
            assert_eq!(refused(text), "the last label looks like a number, so it spells an address", "{text}");
        }
    }

    #[test]
    fn percent_nul_and_control_characters_are_refused() {
        assert!(refused("a%2e.example").contains("percent"));
        assert!(refused("a\0.example").contains("NUL"));
        assert!(refused("a\n.example").contains("control"));
        assert!(refused("a\u{7f}.example").contains("control"));
        assert!(refused("[::1]").contains("character"));
        assert!(refused("user@example.com").contains("at sign"));
    }

    #[test]
    fn underscores_are_allowed_but_not_in_the_last_label() {
        assert!(Name::parse("_http._tcp.example.com").is_ok());
        assert!(Name::parse("my_bucket.example.com").is_ok());
        assert!(refused("example.c_m").contains("underscore"));
    }

    #[test]
    fn lengths_and_empty_labels_are_checked() {
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        assert_eq!(longest.len(), 253);
        assert!(Name::parse(&longest).is_ok());
        assert!(Name::parse(&format!("{longest}a")).is_err());
        assert!(Name::parse(&format!("{label}a.example")).is_err());
        for text in ["", ".", "..", "a..b", ".a", "a..", "-a.example", "a-.example"] {
            assert!(Name::parse(text).is_err(), "{text}");
        }
        assert!(Name::parse("r3---sn-abc.example.com").is_ok());
    }

    #[test]
    fn a_name_on_the_wire_is_ascii() {
        assert!(Name::from_wire("bücher.example".as_bytes()).is_err());
        assert!(Name::from_wire(&[b'a', 0xff]).is_err());
        assert_eq!(Name::from_wire(b"API.Example.").map(String::from), Ok("api.example".to_owned()));
    }

    #[test]
    fn an_a_label_that_decodes_to_nothing_valid_is_refused() {
        assert!(Name::parse("xn--.example").is_err());
        assert!(Name::parse("xn--a.example").is_err());
    }
}
