//! What must bottle's audit log say about an attempt?
//!
//! | spelled | means |
//! |---|---|
//! | `none` | nothing: the kernel refused before there was anything to see |
//! | `decision:allow` | an allowed connection, which must not carry the token |
//! | `decision:deny/REASON` | a denied connection, or one cut later, with this reason's code |
//! | `dns-denied` | a denied name |
//! | `refused:CLASS` | a refused packet of this class, such as `udp4` |
//! | `refused:CLASS/N` | at least n of them, by the exact counts |
//! | `own:` before one of these | the same in an entry that has the attempt's own token or address, and not just as many of the kind |
//! | `connections/N` | at least n connections: each denied by an entry of the attempt's own, refused by class, answered by the gate or undecided |

/// What must be in the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Surface {
    /// Nothing.
    None,
    /// A connection that was allowed to the end.
    Allow,
    /// A connection that was denied, with this code.
    Deny(String),
    /// A name that was denied.
    DnsDenied,
    /// A packet of this class that was refused.
    Refused(String),
    /// Many packets of this class.
    RefusedMany(String, u64),
    /// Many connections of the attempt's own, each accounted for.
    Connections(u64),
    /// What an entry says that can only be about this attempt.
    Own(Box<Surface>),
}

impl Surface {
    /// Reads one as it is spelled.
    pub fn parse(text: &str) -> Option<Self> {
        let code = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        if let Some(own) = text.strip_prefix("own:") {
            return Self::parse(own)
                .filter(|it| matches!(it, Self::Allow | Self::Deny(_) | Self::DnsDenied))
                .map(|own| Self::Own(own.into()));
        }
        if let Some(many) = text.strip_prefix("connections/") {
            return many.parse().ok().map(Self::Connections);
        }
        if let Some((class, many)) = text.strip_prefix("refused:").and_then(|text| text.split_once('/')) {
            return Some(Self::RefusedMany(class.into(), many.parse().ok().filter(|_| code(class))?));
        }
        match text {
            "none" => Some(Self::None),
            "decision:allow" => Some(Self::Allow),
            "dns-denied" => Some(Self::DnsDenied),
            _ => {
                let deny =
                    text.strip_prefix("decision:deny/").filter(|text| code(text)).map(|text| Self::Deny(text.into()));
                deny.or_else(|| {
                    text.strip_prefix("refused:").filter(|text| code(text)).map(|text| Self::Refused(text.into()))
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spelling_is_read_and_others_are_not() {
        for text in [
            "none",
            "decision:allow",
            "decision:deny/no-rule",
            "dns-denied",
            "refused:udp4",
            "refused:udp4/9",
            "connections/9",
            "own:decision:deny/no-rule",
        ] {
            assert!(Surface::parse(text).is_some(), "{text}");
        }
        for text in [
            "",
            "decision:deny/",
            "refused:UDP",
            "dns",
            "decision:deny",
            "refused:udp4/",
            "connections/",
            "own:",
            "own:none",
            "own:own:dns-denied",
        ] {
            assert!(Surface::parse(text).is_none(), "{text}");
        }
    }
}
