//! What is an image called in a registry? `[HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]`.

use std::fmt;
use std::str::FromStr;

use crate::digest::{Digest, DigestError};

/// A name as a person writes it; without a host it is a short one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub(crate) host: Option<String>,
    pub(crate) repository: String,
    pub(crate) tag: Option<String>,
    pub(crate) digest: Option<Digest>,
}

/// A name in full: it means the same for everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    host: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is no name of an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A part is not as it must be.
    #[error("{name:?} is no image name: {why}")]
    Form {
        /// As given.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The digest can't be used.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

/// Bytes of a repository's name, as registries take it.
const LONGEST: usize = 255;

impl FromStr for Written {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Written, NameError> {
        let wrong = |why| NameError::Form { name: text.chars().take(300).collect(), why };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse()?)),
            None => (text, None),
        };
        let (first, more) = rest.split_once('/').unzip();
        // As docker and podman tell a host from the first part of a repository.
        let host = first.filter(|first| first.contains(['.', ':']) || *first == "localhost");
        let rest = if host.is_some() { more.unwrap_or_default() } else { rest };
        let (repository, tag) = match rest.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (rest, None),
        };
        if host.is_some_and(|host| !is_host(host)) {
            return Err(wrong("the host is not one"));
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(wrong("a tag has up to 128 letters, digits, `.`, `_` and `-`"));
        }
        if repository.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(wrong("a repository is written in lower case"));
        }
        if repository.len() > LONGEST || !repository.split('/').all(is_part) {
            return Err(wrong(
                "a repository has lower-case letters and digits, with `.`, `_`, `-` and `/` between them",
            ));
        }
        let (host, tag) = (host.map(str::to_ascii_lowercase), tag.map(str::to_owned));
        Ok(Written { host, repository: repository.to_owned(), tag, digest })
    }
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !host.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let is_label = |label: &str| {
        let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        inner && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_literal = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_named =
        name.split('.').all(is_label) || is_literal.is_some_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok());
    is_named && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let rest = tag.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'));
    (1..=128).contains(&tag.len()) && tag.bytes().next().is_some_and(is_word) && rest
}

/// Letters and digits, with one `.`, one or two `_`, or any number of `-` between them.
fn is_part(part: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = part.bytes().next().is_some_and(is_plain) && part.bytes().last().is_some_and(is_plain);
    let mut between = part.split(|letter: char| letter.is_ascii() && is_plain(letter as u8));
    ends && between.all(|run| matches!(run, "" | "." | "_" | "__") || run.bytes().all(|byte| byte == b'-'))
}

impl Written {
    /// Whether no host is named.
    pub fn is_short(&self) -> bool {
        self.host.is_none()
    }

    /// The name at this host; docker's has a folder for repositories without one.
    pub(crate) fn at(&self, host: &str) -> Name {
        let host = if matches!(host, "index.docker.io" | "registry-1.docker.io") { "docker.io" } else { host };
        let official = host == "docker.io" && !self.repository.contains('/');
        let repository = if official { format!("library/{}", self.repository) } else { self.repository.clone() };
        Name { host: host.to_owned(), repository, tag: self.tag.clone(), digest: self.digest }
    }

    /// The name where one is written in full.
    pub fn full(&self) -> Option<Name> {
        self.host.as_deref().map(|host| self.at(host))
    }
}

impl fmt::Display for Written {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.host.iter().try_for_each(|host| write!(formatter, "{host}/"))?;
        formatter.write_str(&self.repository)?;
        self.tag.iter().try_for_each(|tag| write!(formatter, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(formatter, "@{digest}"))
    }
}

impl Name {
    /// The registry.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The repository in it.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The digest, where one is named.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// What a registry is asked for: the digest, else the tag, else `latest`.
    pub fn wanted(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.clone().unwrap_or_else(|| "latest".to_owned()),
        }
    }

    /// Host and repository.
    pub(crate) fn place(&self) -> String {
        format!("{}/{}", self.host, self.repository)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.host, self.repository)?;
        match (&self.tag, &self.digest) {
            (Some(tag), Some(digest)) => write!(formatter, ":{tag}@{digest}"),
            (None, Some(digest)) => write!(formatter, "@{digest}"),
            (tag, None) => write!(formatter, ":{}", tag.as_deref().unwrap_or("latest")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn full(text: &str) -> String {
        text.parse::<Written>().unwrap().full().unwrap().to_string()
    }

    #[test]
    fn names_are_read_as_docker_and_podman_read_them() {
        assert_eq!(full("docker.io/debian"), "docker.io/library/debian:latest");
        assert_eq!(full("index.docker.io/a/b:1"), "docker.io/a/b:1");
        assert_eq!(full("localhost/x"), "localhost/x:latest");
        assert_eq!(full("Localhost:5000/a/b__c.d-e:T_1"), "localhost:5000/a/b__c.d-e:T_1");
        assert_eq!(full("[::1]:5000/a"), "[::1]:5000/a:latest");
        let digest = Digest::of(b"x").to_string();
        assert_eq!(full(&format!("quay.io/a@{digest}")), format!("quay.io/a@{digest}"));
        let short: Written = "library/debian:12".parse().unwrap();
        assert!(short.is_short() && short.full().is_none());
        assert_eq!(short.at("docker.io").to_string(), "docker.io/library/debian:12");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            "/",
            "a//b",
            "A",
            "a:",
            "a:-x",
            "a.b/",
            "-a",
            "a..b",
            "a/../b",
            "a b",
            "a@sha256:1",
            "host:x/a",
            "a.b:70000/c",
            "é",
            "a.b/é",
            &"a".repeat(256),
        ] {
            assert!(text.parse::<Written>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_read_is_read_again_as_the_same(text in "([a-z.:/]{0,12})?[a-z0-9._/-]{1,20}(:[A-Za-z0-9._-]{1,6})?") {
            if let Ok(name) = text.parse::<Written>() {
                prop_assert_eq!(name.to_string().parse::<Written>().unwrap(), name);
            }
        }
    }
}
