//! What does an npmrc say? Lines of `key = value`, as npm's own reader takes them.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::{PresetError, What};
use super::npm::Level;
use super::settings::{Origin, Value};

/// Keys whose values matter here; others may name variables that are not set.
fn matters(key: &str) -> bool {
    ["registry", "prefix", "globalconfig", "userconfig", "proxy", "https-proxy"].contains(&key)
        || key.ends_with(":registry")
}

/// The keys that matter; a later line replaces an earlier one. What stands in a section is none of npm's settings.
pub fn read(text: &str, path: &Path, variables: &BTreeMap<String, String>) -> Result<Level, PresetError> {
    let mut level = Level::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') && line.ends_with(']') {
            break;
        }
        if line.is_empty() || line.starts_with([';', '#']) {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, "true"));
        let key = plain(key);
        if matters(&key) {
            let origin = Origin::File(path.to_owned(), Some(index + 1));
            let text = filled(&plain(value), variables).map_err(|error| error.at(origin.clone()))?;
            level.insert(key, Value { text, origin });
        }
    }
    Ok(level)
}

/// Without quotes, or without a comment and escapes.
fn plain(text: &str) -> String {
    let text = text.trim();
    let quoted = |quote: char| text.len() > 1 && text.starts_with(quote) && text.ends_with(quote);
    if quoted('"') {
        return serde_json::from_str(text).unwrap_or_else(|_| text.to_owned());
    }
    if quoted('\'') {
        return text[1..text.len() - 1].to_owned();
    }
    let mut plain = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, letter == '\\') {
            (';' | '#', _) => break,
            (_, true) => match letters.next() {
                Some(escaped @ ('\\' | ';' | '#')) => plain.push(escaped),
                other => plain.extend(['\\'].into_iter().chain(other)),
            },
            (letter, false) => plain.push(letter),
        }
    }
    plain.trim().to_owned()
}

/// With the values of variables: `${NAME}`, and `${NAME?}` where none will do.
fn filled(text: &str, variables: &BTreeMap<String, String>) -> Result<String, What> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').ok_or_else(|| What::Syntax("a `${` without its `}`".into()))?;
        filled.push_str(before);
        match (variables.get(name.trim_end_matches('?')), name.ends_with('?')) {
            (Some(value), _) => filled.push_str(value),
            (None, true) => {}
            (None, false) => return Err(What::Unset(name.to_owned())),
        }
        rest = after;
    }
    Ok(filled + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(text: &str) -> Option<String> {
        let variables = [("HOST".to_owned(), "h.example".to_owned())].into();
        let level = read(text, Path::new("npmrc"), &variables).expect(text);
        level.get("registry").map(|value| value.text.clone())
    }

    #[test]
    fn values_are_read_as_npm_reads_them() {
        for (text, expected) in [
            ("registry=https://a.example/", "https://a.example/"),
            (" registry = \"https://a.example/\" ", "https://a.example/"),
            ("registry='https://a.example/'", "https://a.example/"),
            ("registry=https://a.example/ ; why", "https://a.example/"),
            ("registry=https://a.example/\\#x", "https://a.example/#x"),
            ("registry=https://${HOST}/", "https://h.example/"),
            ("registry=https://h${NOT?}.example/", "https://h.example/"),
            (
                "; registry=x\n# registry=x\nregistry=https://a.example/\r\nregistry=https://b.example/",
                "https://b.example/",
            ),
        ] {
            assert_eq!(registry(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(registry("[section]\nregistry=https://a.example/"), None);
        assert_eq!(registry("other=${UNSET}"), None);
    }
}
