//! What does cargo's config.toml say, with what it includes?

use std::path::{Path, PathBuf};

use toml::{Table, Value as Toml};

use super::error::{PresetError, What};
use super::settings::{Origin, Settings};

/// How deep files may include others.
const DEEPEST: usize = 16;

/// The settings, and where they are. `config` without an ending counts before `config.toml`, as it does for cargo.
pub fn read(settings: &mut Settings, home: &Path) -> Result<(Table, Origin), PresetError> {
    let mut config = Table::new();
    let mut place = home.join("config.toml");
    let older = home.join("config");
    settings.counts(&place);
    if older.exists() {
        place = older;
    }
    merge(&mut config, file(settings, &place, 0)?.unwrap_or_default());
    let origin = Origin::File(place, None);
    check(&config, &origin)?;
    Ok((config, origin))
}

/// A file over those that it includes.
fn file(settings: &mut Settings, path: &Path, depth: usize) -> Result<Option<Table>, PresetError> {
    let Some(text) = settings.read(path)? else { return Ok(None) };
    let mut own = parse(&text, path)?;
    let mut whole = Table::new();
    for (included, optional) in includes(own.remove("include"), path)? {
        let wrong = |what: &str| What::Syntax(what.to_owned()).at(Origin::File(path.to_owned(), None));
        if depth == DEEPEST {
            return Err(wrong("it includes files too deep"));
        }
        match file(settings, &included, depth + 1)? {
            Some(table) => merge(&mut whole, table),
            None if optional => {}
            None => return Err(wrong("a file that it includes is not there")),
        }
    }
    merge(&mut whole, own);
    Ok(Some(whole))
}

/// The library's own report quotes the line, in which there may be a token.
fn parse(text: &str, path: &Path) -> Result<Table, PresetError> {
    text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map(|span| text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1);
        What::Syntax("it is no TOML from here on".into()).at(Origin::File(path.to_owned(), line))
    })
}

/// The files of `include`, and whether they may be missing.
fn includes(include: Option<Toml>, path: &Path) -> Result<Vec<(PathBuf, bool)>, PresetError> {
    let wrong = || What::Syntax("`include` is no list of paths".into()).at(Origin::File(path.to_owned(), None));
    let directory = path.parent().unwrap_or(Path::new("/"));
    let one = |entry: &Toml| {
        let name = entry.as_str().or_else(|| entry.get("path")?.as_str()).ok_or_else(wrong)?;
        let optional = entry.get("optional").and_then(Toml::as_bool).unwrap_or(false);
        Ok((directory.join(name), optional))
    };
    match include {
        None => Ok(Vec::new()),
        Some(Toml::Array(entries)) => entries.iter().map(one).collect(),
        Some(_) => Err(wrong()),
    }
}

fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Toml::Table(under)), Toml::Table(over)) => merge(under, over),
            (_, value) => drop(under.insert(key, value)),
        }
    }
}

/// What is said of sources and registries has the shape that cargo asks for, so that nothing of it is passed over.
fn check(config: &Table, origin: &Origin) -> Result<(), PresetError> {
    let wrong = |name: &str, what: &str| Err(What::Syntax(format!("`{name}` is no {what}")).at(origin.clone()));
    for list in ["source", "registries"] {
        let Some(entries) = config.get(list) else { continue };
        let Some(entries) = entries.as_table() else { return wrong(list, "table") };
        for (name, entry) in entries {
            let Some(entry) = entry.as_table() else { return wrong(&format!("{list}.{name}"), "table") };
            for key in ["index", "protocol", "registry", "replace-with", "git", "directory", "local-registry"] {
                if entry.get(key).is_some_and(|value| !value.is_str()) {
                    return wrong(&format!("{list}.{name}.{key}"), "text");
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::cargo::find;
    use super::super::settings::tests::Machine;

    #[test]
    fn a_file_counts_more_than_what_it_includes_and_the_older_name_more_than_the_newer() {
        let machine = Machine::new();
        machine.write(
            "home/.cargo/a.toml",
            "[registries]\nx.index = 'https://x.example/'\ny.index = 'https://z.example/'\n",
        );
        let text = "include = ['a.toml', { path = 'none.toml', optional = true }]\n[registries]\ny.index = 'https://y.example/'";
        machine.write("home/.cargo/config.toml", text);
        let both = ["auto://x.example:443!", "auto://y.example:443!"];
        assert_eq!(machine.reaches(find, &[]).unwrap()[2..], both);
        machine.write("home/.cargo/config", "");
        assert_eq!(machine.reaches(find, &[]).unwrap().len(), 2);
    }

    #[test]
    fn an_include_that_is_missing_or_endless_is_an_error() {
        let machine = Machine::new();
        machine.write("home/.cargo/config.toml", "include = ['b.toml']");
        assert!(machine.error(find, &[]).contains("is not there"));
        machine.write("home/.cargo/b.toml", "include = ['b.toml']");
        assert!(machine.error(find, &[]).contains("too deep"));
        machine.write("home/.cargo/config.toml", "include = 'b.toml'");
        assert!(machine.error(find, &[]).contains("`include` is no list"));
    }
}
