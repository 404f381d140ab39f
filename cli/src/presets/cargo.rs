//! Which registries do cargo's settings name? The environment before config.toml of CARGO_HOME and what that includes; sources that
//! are replaced give way to what replaces them. What lies in a project and above it is not read.

use std::path::PathBuf;

use toml::{Table, Value as Toml};

use super::cargo_config;
use super::error::{PresetError, What};
use super::settings::{Origin, Settings, Value};

/// The index and the crates of crates.io, and the repository that older clients have the index of.
const SPARSE: &str = "index.crates.io";
const CRATES: &str = "static.crates.io";
const GIT: &str = "github.com";

const CRATES_IO: &str = "crates-io";

/// Finds them.
pub fn find(settings: &mut Settings) -> Result<(), PresetError> {
    let home = settings.variable("CARGO_HOME").map(|path| settings.path(path));
    let home = home.unwrap_or_else(|| settings.home.join(".cargo"));
    let (config, origin) = cargo_config::read(settings, &home)?;
    let sources = Sources { config: &config, origin };
    sources.reach(settings, CRATES_IO)?;
    for (name, registry) in sources.registries(settings) {
        match sources.source_of(&registry.text) {
            Some(source) => sources.reach(settings, source)?,
            None => reach_index(settings, &format!("cargo registry {name}"), &registry)?,
        }
    }
    for name in sources.replaced() {
        sources.reach(settings, name)?;
    }
    let in_file = sources.text(&["http", "proxy"]);
    let proxy = variable(settings, "CARGO_HTTP_PROXY").or(in_file).filter(|proxy| !proxy.text.is_empty());
    if let Some(proxy) = proxy {
        settings.proxy(&proxy);
    }
    let names = [".cargo/config.toml", ".cargo/config"];
    let projects: Vec<PathBuf> = settings.projects();
    let projects = projects.iter().flat_map(|directory| names.map(|name| directory.join(name)));
    let projects: Vec<PathBuf> = projects.filter(|path| !path.starts_with(&home)).collect();
    settings.not_read(projects, &["registr", "[source"]);
    Ok(())
}

/// What the settings say of sources and registries.
struct Sources<'a> {
    config: &'a Table,
    origin: Origin,
}

impl Sources<'_> {
    /// Allows what a source leads to at last.
    fn reach(&self, settings: &mut Settings, first: &str) -> Result<(), PresetError> {
        let mut name = first.to_owned();
        let mut passed = Vec::new();
        while let Some(next) = self.text(&["source", &name, "replace-with"]) {
            passed.push(std::mem::replace(&mut name, next.text));
            if passed.contains(&name) {
                return Err(What::Replaced(first.to_owned()).at(self.origin.clone()));
            }
        }
        if ["directory", "local-registry"].iter().any(|key| self.text(&["source", &name, key]).is_some()) {
            return Ok(());
        }
        let url = ["registry", "git"].iter().find_map(|key| self.text(&["source", &name, key]));
        match url.or_else(|| self.registry(settings, &name)) {
            Some(url) => reach_index(settings, &format!("cargo source {name}"), &url),
            None if name == CRATES_IO => {
                self.reach_crates_io(settings);
                Ok(())
            }
            None => Err(What::Replaced(first.to_owned()).at(self.origin.clone())),
        }
    }

    fn reach_crates_io(&self, settings: &mut Settings) {
        let protocol = variable(settings, "CARGO_REGISTRIES_CRATES_IO_PROTOCOL")
            .or_else(|| self.text(&["registries", CRATES_IO, "protocol"]));
        match protocol {
            Some(protocol) if protocol.text == "git" => {
                settings.reach_default("the index of crates.io, as a repository", GIT)
            }
            _ => settings.reach_default("the index of crates.io", SPARSE),
        }
        settings.reach_default("the crates of crates.io", CRATES);
    }

    /// The registries that have an index, those of variables among them.
    fn registries(&self, settings: &Settings) -> Vec<(String, Value)> {
        let named = self.config.get("registries").and_then(Toml::as_table).into_iter().flatten();
        let named = named.filter_map(|(name, _)| Some((name.clone(), self.registry(settings, name)?)));
        let mut registries: Vec<(String, Value)> = named.collect();
        for (name, value) in &settings.variables {
            let registry = name.strip_prefix("CARGO_REGISTRIES_").and_then(|rest| rest.strip_suffix("_INDEX"));
            if let Some(registry) = registry.filter(|_| !value.is_empty()) {
                let known = registries.iter().any(|(name, _)| spelled(name) == registry);
                let value = Value { text: value.clone(), origin: Origin::Variable(name.clone()) };
                registries.extend((!known).then(|| (registry.to_lowercase(), value)));
            }
        }
        registries
    }

    /// The index of a registry.
    fn registry(&self, settings: &Settings, name: &str) -> Option<Value> {
        let in_file = self.text(&["registries", name, "index"]);
        variable(settings, &format!("CARGO_REGISTRIES_{}_INDEX", spelled(name))).or(in_file)
    }

    /// A source that stands for an index by its URL, and is replaced.
    fn source_of(&self, index: &str) -> Option<&str> {
        let of = |name: &&str| self.text(&["source", name, "registry"]).is_some_and(|url| url.text == index);
        self.replaced().into_iter().find(of)
    }

    /// All sources that are replaced.
    fn replaced(&self) -> Vec<&str> {
        let sources = self.config.get("source").and_then(Toml::as_table).into_iter().flatten();
        let replaced = sources.filter(|(_, source)| source.get("replace-with").is_some());
        replaced.map(|(name, _)| name.as_str()).collect()
    }

    fn text(&self, path: &[&str]) -> Option<Value> {
        let (first, rest) = path.split_first()?;
        let mut value = self.config.get(*first)?;
        for key in rest {
            value = value.get(*key)?;
        }
        Some(Value { text: value.as_str()?.to_owned(), origin: self.origin.clone() })
    }
}

/// As the name of a registry is written in variables.
fn spelled(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

fn variable(settings: &Settings, name: &str) -> Option<Value> {
    let text = settings.variable(name)?.to_owned();
    Some(Value { text, origin: Origin::Variable(name.to_owned()) })
}

/// Allows an index: `sparse+` and a URL, or the URL of a repository. One on the disk asks nobody.
fn reach_index(settings: &mut Settings, what: &str, index: &Value) -> Result<(), PresetError> {
    let url = index.text.strip_prefix("sparse+").unwrap_or(&index.text);
    if url.starts_with("file://") {
        return Ok(());
    }
    let url = Value { text: url.to_owned(), origin: index.origin.clone() };
    settings.reach(what, &url, &[SPARSE, CRATES, GIT])
}

#[cfg(test)]
mod tests {
    use super::super::settings::tests::Machine;
    use super::*;

    const DEFAULT: [&str; 2] = ["auto://index.crates.io:443", "auto://static.crates.io:443"];

    fn with(text: &str) -> Machine {
        let machine = Machine::new();
        machine.write("home/.cargo/config.toml", text);
        machine
    }

    #[test]
    fn without_settings_it_is_crates_io() {
        assert_eq!(Machine::new().reaches(find, &[]).unwrap(), DEFAULT);
        let expected = ["auto://github.com:443", DEFAULT[1]];
        assert_eq!(with("[registries.crates-io]\nprotocol = 'git'").reaches(find, &[]).unwrap(), expected);
    }

    #[test]
    fn what_replaces_crates_io_is_allowed_and_crates_io_is_not() {
        let text = "[source.crates-io]\nreplace-with = 'a'\n[source.a]\nreplace-with = 'b'\nregistry = 'https://old.example/'\n\
                    [source.b]\nregistry = 'sparse+https://u:s3cret@crates.corp.example:8443/index/'\n";
        assert_eq!(with(text).reaches(find, &[]).unwrap(), ["auto://crates.corp.example:8443!"; 3]);
        let vendored = "[source.crates-io]\nreplace-with = 'v'\n[source.v]\ndirectory = 'vendor'\n";
        assert_eq!(with(vendored).reaches(find, &[]).unwrap(), [""; 0]);
        let registry =
            "[source.crates-io]\nreplace-with = 'corp'\n[registries.corp]\nindex = 'sparse+http://r.example/'\n";
        assert_eq!(with(registry).reaches(find, &[]).unwrap(), ["http://r.example:80!"; 3]);
    }

    #[test]
    fn registries_are_allowed_beside_crates_io_and_variables_count_more_than_files() {
        let machine =
            with("[registries.corp-one]\nindex = 'ssh://git@git.corp.example/index'\n[registries.two]\ntoken = 'x'\n");
        let ssh = "tcp://git.corp.example:22!";
        assert_eq!(machine.reaches(find, &[]).unwrap(), [DEFAULT[0], DEFAULT[1], ssh]);
        let variables = [
            ("CARGO_REGISTRIES_CORP_ONE_INDEX", "https://one.example/"),
            ("CARGO_REGISTRIES_THREE_INDEX", "sparse+https://three.example/"),
        ];
        let expected = [DEFAULT[0], DEFAULT[1], "auto://one.example:443!", "auto://three.example:443!"];
        assert_eq!(machine.reaches(find, &variables).unwrap(), expected);
    }

    #[test]
    fn a_registry_that_a_source_replaces_is_not_asked() {
        let text = "[registries.corp]\nindex = 'https://corp.example/'\n[source.corp]\nregistry = 'https://corp.example/'\n\
                    replace-with = 'mirror'\n[source.mirror]\nregistry = 'https://mirror.example/'\n";
        let expected = [DEFAULT[0], DEFAULT[1], "auto://mirror.example:443!", "auto://mirror.example:443!"];
        assert_eq!(with(text).reaches(find, &[]).unwrap(), expected);
    }

    #[test]
    fn a_project_s_settings_are_not_read_and_that_is_said() {
        let machine = Machine::new();
        machine.write("home/project/.cargo/config.toml", "[registries.x]\nindex = 'https://evil.example/'");
        assert_eq!(machine.reaches(find, &[]).unwrap(), DEFAULT);
        assert!(machine.notes(find, &[])[0].contains("project/.cargo/config.toml is not read"));
    }

    #[test]
    fn what_is_not_understood_is_an_error_and_never_the_default() {
        for (text, expected) in [
            ("[source.crates-io]\nreplace-with = 'nowhere'", "the source `crates-io` is replaced by one"),
            ("[source.crates-io]\nreplace-with = 'a'\n[source.a]\nreplace-with = 'crates-io'", "in a circle"),
            ("[registries.a]\nindex = 'git@git.example:u/s3cret'", "this is no URL"),
            ("[registries.a]\ntoken = \"s3cret\nindex", "it is no TOML from here on"),
            ("[source]\ncrates-io = 's3cret'", "`source.crates-io` is no table"),
            ("[registries.a]\nindex = 7", "`registries.a.index` is no text"),
        ] {
            let error = with(text).error(find, &[]);
            assert!(error.contains(expected) && !error.contains("s3cret"), "{error}");
        }
    }
}
