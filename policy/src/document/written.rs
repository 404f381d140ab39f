//! What shape does a policy text have, before its values are understood?

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Visitor};
use serde_saphyr::{Error, Location, Spanned};

use super::Problem;
use super::error::printable;
use crate::rules::{Mode, Protocol, parse_cidr};

/// The keys exactly as a policy file spells them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub(super) version: Option<Spanned<String>>,
    pub(super) mode: Option<Mode>,
    pub(super) default_policy: Option<Spanned<DefaultPolicy>>,
    pub(super) domains: Option<Vec<Spanned<Domain>>>,
    pub(super) ip_ranges: Option<Vec<Spanned<Range>>>,
    pub(super) doh: Option<Doh>,
    pub(super) dns: Option<Dns>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum DefaultPolicy {
    Deny,
    Allow,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Domain {
    pub(super) pattern: Spanned<String>,
    pub(super) ports: Option<Spanned<Vec<Spanned<Port>>>>,
    pub(super) reason: Option<String>,
    pub(super) protocol: Option<Protocol>,
    pub(super) allow_private: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Range {
    pub(super) cidr: Spanned<String>,
    pub(super) ports: Option<Spanned<Vec<Spanned<Port>>>>,
    pub(super) reason: Option<String>,
}

/// What stands where a port is expected: a number in quotes is a text, as YAML and the schema have it.
#[derive(Debug)]
pub(super) enum Port {
    Number(i64),
    Text(String),
}

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Port, D::Error> {
        struct Scalar;

        impl Visitor<'_> for Scalar {
            type Value = Port;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a port")
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Port, E> {
                Ok(Port::Number(number))
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Port, E> {
                Ok(Port::Number(i64::try_from(number).unwrap_or(i64::MAX)))
            }

            fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Port, E> {
                Ok(Port::Text(format!("{number:?}")))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Port, E> {
                Ok(Port::Text(text.to_owned()))
            }
        }

        deserializer.deserialize_any(Scalar).map_err(|_| D::Error::custom(NUMBER))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Doh {
    pub(super) enabled: Option<Spanned<bool>>,
}

/// Only in files written for egress-filter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dns {
    pub(super) allow_authoritative: Option<Spanned<bool>>,
}

/// Reads the text as one YAML document.
pub(super) fn read(text: &str) -> Result<Written, Problem> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        strict_booleans: true,
        merge_keys: serde_saphyr::options::MergeKeyPolicy::Error,
        budget: serde_saphyr::budget! { max_nodes: 4_000_000, max_events: 16_000_000 },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| problem(&error, text))
}

fn problem(error: &Error, text: &str) -> Problem {
    let error = error.without_snippet();
    let at = error.location().unwrap_or(Location::UNKNOWN);
    let written = value_at(text, at);
    match error {
        _ if written.starts_with('*') => Problem::new(at, "a star at the beginning means something else in YAML")
            .hint(format!("put the pattern in quotes: \"{written}\"")),
        Error::SerdeUnknownField { field, .. } if NOT_BUILT.contains(&field.as_str()) => {
            Problem::new(at, format!("the feature behind `{field}` is not built yet"))
                .hint("leave the key out; nothing would act on it".to_owned())
        }
        Error::SerdeUnknownField { field, expected, .. } => {
            Problem::new(at, format!("unknown key `{}`", field.escape_debug())).hint(closest(field, expected))
        }
        Error::SerdeMissingField { field, .. } => Problem::new(at, format!("`{field}` is missing")),
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            Problem::new(at, format!("unknown value `{}`", variant.escape_debug()))
                .hint(format!("write one of: {}", expected.join(", ")))
        }
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("?").escape_debug().to_string();
            Problem::new(at, format!("the key `{key}` is here twice"))
        }
        Error::MultipleDocuments { .. } => {
            Problem::new(at, "more than one YAML document").hint("remove the `---`".to_owned())
        }
        Error::Eof { .. } => Problem::new(at, "the policy is empty").hint("write at least `version: 1`".to_owned()),
        other => {
            let what = without_place(&other.to_string());
            let problem = Problem::new(at, &what);
            match instead(&what, &written) {
                Some(hint) => problem.hint(hint),
                None => problem,
            }
        }
    }
}

/// The plain value that stands at this place, to its end or a comment; as much as fits into a hint.
fn value_at(text: &str, at: Location) -> String {
    const LONGEST: usize = 60;
    let index = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).saturating_sub(1);
    let line = text.lines().nth(index(at.line())).unwrap_or_default();
    let rest: String = line.chars().skip(index(at.column())).take(LONGEST).collect();
    let value = rest.split(" #").next().unwrap_or_default();
    printable(value.trim().trim_end_matches([']', '}', ',']).trim_matches(['"', '\'']))
}

/// How to write a value that stands where a list or an entry is expected.
fn instead(what: &str, written: &str) -> Option<String> {
    let number = !written.is_empty() && written.bytes().all(|byte| byte.is_ascii_digit());
    let plain = !written.is_empty() && !written.starts_with(['-', '[', '{']) && !written.contains(": ");
    match what {
        LIST if number => Some(format!("write it as a list: [{written}]")),
        LIST | ENTRY if plain && parse_cidr(written).is_ok() => Some(format!("write an entry: - cidr: \"{written}\"")),
        LIST | ENTRY if plain => Some(format!("write an entry: - pattern: \"{written}\"")),
        _ => None,
    }
}

const LIST: &str = "a list is expected here";
/// What is said of anything but a number among ports.
pub(super) const NUMBER: &str = "a whole number is expected here";
const ENTRY: &str = "keys and values are expected here";

/// The library ends a message with the place, which the report shows anyway, and speaks of its own types.
fn without_place(message: &str) -> String {
    let end = message.rfind(" at line ").unwrap_or(message.len());
    let first = message[..end].lines().next().unwrap_or_default();
    match first {
        "expected sequence start" => LIST,
        "expected mapping start" => ENTRY,
        "cannot deserialize null into string; use Option<String>" => "a text is expected here, and there is none",
        "invalid boolean (strict mode expects true/false)" => "`true` or `false` is expected here",
        other => other,
    }
    .to_owned()
}

/// Keys of features that are planned and not there: a policy that relies on one must not be taken for one that has it.
const NOT_BUILT: [&str; 4] = ["inspect", "on_match", "process", "budget"];

fn closest(field: &str, expected: &[&str]) -> String {
    let alike =
        |known: &&&str| known.eq_ignore_ascii_case(field) || known.starts_with(field) || field.starts_with(**known);
    match expected.iter().find(alike) {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("the keys here are: {}", expected.join(", ")),
    }
}
