//! What does a pip.conf say? Sections of `key = value`, as Python's configparser takes them.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::{PresetError, What};
use super::settings::{Origin, Value};

/// Sections, keys and values; keys in lower case and with `-`.
pub type Sections = BTreeMap<String, BTreeMap<String, Value>>;

/// Reads one file. `[DEFAULT]` counts in each other section.
pub fn read(text: &str, path: &Path) -> Result<Sections, PresetError> {
    let mut reader = Reader { path, sections: Sections::new(), section: None, key: None };
    for (index, line) in text.lines().enumerate() {
        reader.line(index + 1, line)?;
    }
    let mut sections = reader.sections;
    let defaults = sections.remove("DEFAULT").unwrap_or_default();
    for values in sections.values_mut() {
        for (key, value) in &defaults {
            values.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    Ok(sections)
}

struct Reader<'a> {
    path: &'a Path,
    sections: Sections,
    section: Option<String>,
    /// The key that an indented line goes on with, and how far it was indented itself.
    key: Option<(String, usize)>,
}

impl Reader<'_> {
    fn line(&mut self, number: usize, line: &str) -> Result<(), PresetError> {
        let content = line.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            return Ok(());
        }
        let origin = Origin::File(self.path.to_owned(), Some(number));
        let indent = line.len() - line.trim_start().len();
        if let (Some(section), Some((key, own))) = (&self.section, &self.key)
            && indent > *own
        {
            let value = self.sections.get_mut(section).and_then(|values| values.get_mut(key));
            value.into_iter().for_each(|value| value.text = format!("{}\n{content}", value.text).trim().to_owned());
            return Ok(());
        }
        if let Some(name) = content.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            self.sections.entry(name.to_owned()).or_default();
            (self.section, self.key) = (Some(name.to_owned()), None);
            return Ok(());
        }
        let wrong = |what: &str| What::Syntax(what.to_owned()).at(origin.clone());
        let section = self.section.as_ref().ok_or_else(|| wrong("a value outside of every section"))?;
        let pair = content.split_once(['=', ':']).filter(|(key, _)| !key.trim().contains(char::is_whitespace));
        let (key, value) = pair.ok_or_else(|| wrong("neither a section nor a value"))?;
        let key = key.trim().to_lowercase().replace('_', "-");
        let value = Value { text: value.trim().to_owned(), origin };
        self.sections.entry(section.clone()).or_default().insert(key.clone(), value);
        self.key = Some((key, indent));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_python_reads_it() {
        let text = "[DEFAULT]\ntimeout = 5\n; a comment\n[global]\nIndex_URL: https://a.example/\nextra =\n  one\n  # no\n\n  two\n[install]\ntimeout=6";
        let sections = read(text, Path::new("pip.conf")).unwrap();
        let value = |section: &str, key: &str| sections[section][key].text.as_str();
        assert_eq!(value("global", "index-url"), "https://a.example/");
        assert_eq!(value("global", "extra"), "one\ntwo");
        assert_eq!((value("global", "timeout"), value("install", "timeout")), ("5", "6"));
        assert!(!sections.contains_key("DEFAULT"));
    }
}
