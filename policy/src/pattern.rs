//! Which names does a pattern mean?

use std::{fmt, str::FromStr};

use crate::{Name, NameError, this_host};

/// A pattern of the policy: `example.com`, `*.example.com` or `.example.com`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Pattern {
    /// `example.com`: this name and no other.
    Exact(Name),
    /// `*.example.com`: every name below, at any depth, never the name itself.
    Below(Name),
    /// `.example.com`: the name itself and every name below.
    AndBelow(Name),
}

/// Why a string is not a [`Pattern`].
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum PatternError {
    /// There is nothing in it.
    #[error("an empty pattern")]
    Empty,
    /// A star alone.
    #[error("`*` alone would mean every name")]
    Everything,
    /// The part that is a name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A name that is never reached.
    #[error(
        "no rule can reach this name: `.invalid` names nothing, `_egress.local` is the gate itself, and of `bottle.internal` there is only `host.bottle.internal`"
    )]
    Reserved,
    /// A wildcard about the host's loopback.
    #[error("`host.bottle.internal` is the host's own loopback, and no wildcard means it")]
    ThisHost,
}

impl PatternError {
    /// What to write instead.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Empty => Some("write a name, `*.example.com` for all names below one, or `.example.com` for both"),
            Self::Everything => Some("name what is needed; `mode: observe` allows everything and records it"),
            Self::Name(NameError(why)) if why.contains("colon") => {
                Some("leave the scheme out, and write the port under `ports`")
            }
            Self::Name(NameError(why)) if why.contains("address") => Some("addresses belong under `ip_ranges`"),
            Self::Name(NameError(why)) if why.contains("this machine") => {
                Some("loopback inside the bottle needs no rule; the host's is `host.bottle.internal`, with its `ports`")
            }
            Self::ThisHost => Some("name it exactly, with the ports that are meant: \"host.bottle.internal\""),
            Self::Name(_) | Self::Reserved => None,
        }
    }
}

impl Pattern {
    /// Reads a pattern; case, a trailing dot and IDNA do not matter.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        let pattern = if text == "*" || text == "*." {
            return Err(PatternError::Everything);
        } else if let Some(rest) = text.strip_prefix("*.") {
            Self::Below(Name::parse(rest)?)
        } else if let Some(rest) = text.strip_prefix('.') {
            Self::AndBelow(Name::parse(rest)?)
        } else {
            Self::Exact(Name::parse(text)?)
        };
        match &pattern {
            Self::Exact(_) if !pattern.name().is_reserved() => Ok(pattern),
            Self::Below(name) | Self::AndBelow(name) if this_host::is_within(name) => Err(PatternError::ThisHost),
            other if other.name().is_reserved() => Err(PatternError::Reserved),
            _ => Ok(pattern),
        }
    }

    /// The name without the star or dot.
    pub fn name(&self) -> &Name {
        match self {
            Self::Exact(name) | Self::Below(name) | Self::AndBelow(name) => name,
        }
    }

    /// Whether it means `name`. [The host's loopback](crate::this_host) is meant only where it is named exactly.
    pub fn matches(&self, name: &Name) -> bool {
        let below = || {
            let rest = name.as_str().strip_suffix(self.name().as_str());
            rest.is_some_and(|rest| rest.ends_with('.')) && !name.is_this_host()
        };
        match self {
            Self::Exact(this) => this == name,
            Self::Below(_) => below(),
            Self::AndBelow(this) => this == name || below(),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => write!(f, "{name}"),
            Self::Below(name) => write!(f, "*.{name}"),
            Self::AndBelow(name) => write!(f, ".{name}"),
        }
    }
}

impl FromStr for Pattern {
    type Err = PatternError;
    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;
    fn try_from(text: String) -> Result<Self, PatternError> {
        Self::parse(&text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> String {
        pattern.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::parse(pattern).expect(pattern).matches(&Name::parse(name).expect(name))
    }

    #[test]
    fn an_exact_pattern_means_one_name() {
        assert!(matches("API.example.com.", "api.example.com"));
        assert!(!matches("example.com", "api.example.com"));
    }

    #[test]
    fn a_star_means_any_depth_below_and_never_the_apex() {
        assert!(matches("*.example.com", "a.b.example.com"));
        assert!(!matches("*.example.com", "example.com"));
        assert!(!matches("*.example.com", "badexample.com"));
    }

    #[test]
    fn a_leading_dot_means_the_apex_and_below() {
        assert!(matches(".example.com", "example.com"));
        assert!(matches(".example.com", "a.b.example.com"));
        assert!(!matches(".example.com", "badexample.com"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in [
            "",
            "*",
            "*.",
            ".",
            "*example.com",
            "a.*.com",
            "**.com",
            "*.*.com",
            "*.localhost",
            "*.1",
            "x.invalid",
            "_egress.local",
            "*.bottle.internal",
            ".bottle.internal",
            "bottle.internal",
            "x.bottle.internal",
            "*.host.bottle.internal",
            ".host.bottle.internal",
            "x.host.bottle.internal",
        ] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
