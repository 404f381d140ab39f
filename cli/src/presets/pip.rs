//! Which indexes do pip's settings name? The environment before the file of PIP_CONFIG_FILE, that before the user's, that before the
//! system's; in files, a command's own section before `[global]`. A virtual environment's file is not read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::error::PresetError;
use super::pip_conf::{self, Sections};
use super::settings::{Origin, Settings, Value};

const INDEX: &str = "pypi.org";

/// Indexes from which other hosts are reached: what is listed there is stored elsewhere.
const FILES: [(&str, &str); 2] = [(INDEX, "files.pythonhosted.org"), ("test.pypi.org", "test-files.pythonhosted.org")];

/// Finds them.
pub fn find(settings: &mut Settings) -> Result<(), PresetError> {
    let sections = files(settings)?;
    let environment = environment(settings);
    let mut commands: BTreeSet<&str> = sections.keys().map(String::as_str).filter(|name| *name != "global").collect();
    commands.insert("install");
    for command in commands {
        let effective = |key: &str| {
            let in_files = || [command, "global"].iter().find_map(|section| sections.get(*section)?.get(key));
            environment.get(key).or_else(in_files).filter(|value| !value.text.is_empty()).cloned()
        };
        reach(settings, &effective)?;
    }
    stored(settings);
    if let Some(place) = settings.variable("VIRTUAL_ENV").map(|place| settings.path(place).join("pip.conf")) {
        settings.not_read([place], &["index", "find-links"]);
    }
    Ok(())
}

/// What one command asks.
fn reach(settings: &mut Settings, effective: &dyn Fn(&str) -> Option<Value>) -> Result<(), PresetError> {
    let public = FILES.map(|(index, _)| index);
    let no_index = effective("no-index").is_some_and(|value| is_true(&value.text));
    if !no_index {
        match effective("index-url") {
            Some(index) => settings.reach("pip index", &index, &public)?,
            None => settings.reach_default("pip index: pip's own default", INDEX),
        }
        for index in words(effective("extra-index-url")) {
            settings.reach("pip index, extra", &index, &public)?;
        }
    }
    for links in words(effective("find-links")).into_iter().filter(|links| !is_local(&links.text)) {
        settings.reach("pip find-links", &links, &public)?;
    }
    if let Some(proxy) = effective("proxy") {
        settings.proxy(&proxy);
    }
    Ok(())
}

/// Allows the hosts of the files that public indexes list.
fn stored(settings: &mut Settings) {
    for (index, files) in FILES {
        let is_asked = |name: &str| settings.found.reaches.iter().any(|reach| reach.place.host.to_string() == name);
        if is_asked(index) {
            settings.reach_default(&format!("files that {index} lists"), files);
        }
    }
}

fn words(value: Option<Value>) -> Vec<Value> {
    let word = |value: &Value, word: &str| Value { text: word.to_owned(), origin: value.origin.clone() };
    value.iter().flat_map(|value| value.text.split_whitespace().map(|text| word(value, text))).collect()
}

fn is_local(links: &str) -> bool {
    !links.contains("://") || links.to_ascii_lowercase().starts_with("file://")
}

fn is_true(text: &str) -> bool {
    ["y", "yes", "t", "true", "on", "1"].contains(&text.to_ascii_lowercase().as_str())
}

/// `PIP_` and a key; `_` stands for `-`.
fn environment(settings: &Settings) -> BTreeMap<String, Value> {
    let variable = |(name, value): (&String, &String)| {
        let key = name.strip_prefix("PIP_")?.to_lowercase().replace('_', "-");
        Some((key, Value { text: value.trim().to_owned(), origin: Origin::Variable(name.clone()) }))
    };
    settings.variables.iter().filter(|(_, value)| !value.is_empty()).filter_map(variable).collect()
}

/// All files in one; what a later one says replaces what an earlier one says.
fn files(settings: &mut Settings) -> Result<Sections, PresetError> {
    let named = settings.variable("PIP_CONFIG_FILE").map(|path| settings.path(path));
    let mut paths = Vec::new();
    if named.as_deref() != Some(Path::new("/dev/null")) {
        paths = system(settings);
        if !named.as_ref().is_some_and(|path| path.exists()) {
            paths.extend(user(settings));
        }
        paths.extend(named);
    }
    let mut sections = Sections::new();
    for path in paths {
        let Some(text) = settings.read(&path)? else { continue };
        for (name, values) in pip_conf::read(&text, &path)? {
            sections.entry(name).or_default().extend(values);
        }
    }
    Ok(sections)
}

fn system(settings: &Settings) -> Vec<PathBuf> {
    let configured = settings.variable("XDG_CONFIG_DIRS").map(|paths| paths.split(':').map(PathBuf::from).collect());
    let directories: Vec<PathBuf> = configured.unwrap_or_else(|| vec![settings.system("etc/xdg")]);
    let mut files: Vec<PathBuf> = directories.iter().map(|directory| directory.join("pip/pip.conf")).collect();
    files.push(settings.system("etc/pip.conf"));
    files
}

fn user(settings: &Settings) -> [PathBuf; 2] {
    let directory = settings.variable("XDG_CONFIG_HOME").map(|path| settings.path(path));
    let directory = directory.unwrap_or_else(|| settings.home.join(".config"));
    [settings.home.join(".pip/pip.conf"), directory.join("pip/pip.conf")]
}

#[cfg(test)]
mod tests {
    use super::super::settings::tests::Machine;
    use super::*;

    const DEFAULT: [&str; 2] = ["auto://pypi.org:443", "auto://files.pythonhosted.org:443"];

    #[test]
    fn without_settings_it_is_pips_own_and_where_its_files_are() {
        assert_eq!(Machine::new().reaches(find, &[]).unwrap(), DEFAULT);
    }

    #[test]
    fn an_index_takes_the_place_of_the_default_and_an_extra_one_does_not() {
        let machine = Machine::new();
        machine.write("home/.config/pip/pip.conf", "[global]\nindex-url = https://u:s3cret@pypi.corp.example/simple\n");
        assert_eq!(machine.reaches(find, &[]).unwrap(), ["auto://pypi.corp.example:443!"]);
        machine.write(
            "home/.config/pip/pip.conf",
            "[global]\nextra-index-url =\n    https://a.example/simple\n    http://b.example:3141/simple\n",
        );
        let expected = [DEFAULT[0], "auto://a.example:443!", "http://b.example:3141!", DEFAULT[1]];
        assert_eq!(machine.reaches(find, &[]).unwrap(), expected);
    }

    #[test]
    fn a_command_s_section_counts_more_than_global_and_the_environment_most() {
        let machine = Machine::new();
        machine.write(
            "etc/pip.conf",
            "[install]\nindex-url = https://install.example/\n[download]\nindex_url: https://download.example/",
        );
        machine.write("home/.pip/pip.conf", "[global]\nindex-url = https://global.example/");
        let expected = ["auto://download.example:443!", "auto://install.example:443!"];
        assert_eq!(machine.reaches(find, &[]).unwrap(), expected);
        let variable = ("PIP_INDEX_URL", "https://variable.example/");
        assert_eq!(machine.reaches(find, &[variable]).unwrap(), ["auto://variable.example:443!"; 2]);
    }

    #[test]
    fn a_named_file_takes_the_place_of_the_users_and_dev_null_of_all() {
        let machine = Machine::new();
        machine.write("etc/pip.conf", "[global]\nfind-links = /opt/wheels https://links.example/\n");
        machine.write("home/.pip/pip.conf", "[global]\nindex-url = https://user.example/");
        machine.write("own.conf", "[global]\nno-index = yes\n");
        let own = machine.path("own.conf");
        assert_eq!(
            machine.reaches(find, &[("PIP_CONFIG_FILE", own.to_str().unwrap())]).unwrap(),
            ["auto://links.example:443!"]
        );
        assert_eq!(machine.reaches(find, &[("PIP_CONFIG_FILE", "/dev/null")]).unwrap(), DEFAULT);
    }

    #[test]
    fn a_virtual_environments_file_is_not_read_and_that_is_said() {
        let machine = Machine::new();
        machine.write("home/project/venv/pip.conf", "[global]\nindex-url = https://evil.example/");
        let variable = ("VIRTUAL_ENV", "venv");
        assert_eq!(machine.reaches(find, &[variable]).unwrap(), DEFAULT);
        assert!(machine.notes(find, &[variable])[0].contains("venv/pip.conf is not read"));
    }

    #[test]
    fn what_is_not_understood_is_an_error_with_its_place_and_never_the_default() {
        let machine = Machine::new();
        for (text, expected) in [
            ("index-url = https://a.example/", "pip.conf:1: "),
            ("[global]\nindex-url https://a.example/", "pip.conf:2: "),
            ("[global]\nindex-url = u:s3cret@a.example", "pip.conf:2: this is no URL"),
        ] {
            machine.write("etc/pip.conf", text);
            let error = machine.error(find, &[]);
            assert!(error.contains(expected) && !error.contains("s3cret"), "{error}");
        }
    }
}
