//! Which archives does a list of apt's name? In the form of one line each, and in that of deb822.

use std::path::Path;

use super::error::{PresetError, What};
use super::settings::{Origin, Value};

/// `deb [options] URI suite components`
pub fn one_line(text: &str, path: &Path) -> Result<Vec<Value>, PresetError> {
    let mut uris = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let origin = Origin::File(path.to_owned(), Some(index + 1));
        let uri = uri(line).ok_or_else(|| What::Syntax("this is no source".into()).at(origin.clone()))?;
        uris.push(Value { text: uri.to_owned(), origin });
    }
    Ok(uris)
}

fn uri(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("deb-src").or_else(|| line.strip_prefix("deb"))?;
    let rest = rest.starts_with(char::is_whitespace).then(|| rest.trim_start())?;
    let rest = match rest.strip_prefix('[') {
        Some(options) => options.split_once(']')?.1.trim_start(),
        None => rest,
    };
    // `cdrom:[a label]/` has spaces in it, and is not asked for anyway.
    rest.split_whitespace().next()
}

/// What apt takes for no.
const NO: [&str; 6] = ["no", "false", "without", "off", "disable", "0"];

/// Stanzas of `Field: value`, where a line that begins with a space goes on with the field before.
pub fn deb822(text: &str, path: &Path) -> Result<Vec<Value>, PresetError> {
    let mut uris = Vec::new();
    let mut stanza = Stanza::default();
    for (index, line) in text.lines().enumerate() {
        let origin = || Origin::File(path.to_owned(), Some(index + 1));
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            uris.append(&mut std::mem::take(&mut stanza).uris());
            continue;
        }
        let value = match line.split_once(':') {
            _ if line.starts_with([' ', '\t']) => line,
            Some((field, value)) if !field.trim().contains(char::is_whitespace) => {
                stanza.field = field.trim().to_ascii_lowercase();
                value
            }
            _ => return Err(What::Syntax("this is no field".into()).at(origin())),
        };
        match stanza.field.as_str() {
            "uris" => {
                let uris = value.split_whitespace().map(|uri| Value { text: uri.to_owned(), origin: origin() });
                stanza.uris.extend(uris);
            }
            "enabled" => stanza.disabled = NO.contains(&value.trim().to_ascii_lowercase().as_str()),
            _ => {}
        }
    }
    uris.append(&mut stanza.uris());
    Ok(uris)
}

#[derive(Default)]
struct Stanza {
    field: String,
    uris: Vec<Value>,
    disabled: bool,
}

impl Stanza {
    fn uris(self) -> Vec<Value> {
        if self.disabled { Vec::new() } else { self.uris }
    }
}
