//! Which registries do npm's settings name? The environment before the user's npmrc, that before the global one, that before the
//! one that npm brings along. A project's own is not read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::{PresetError, What};
use super::npmrc;
use super::settings::{Origin, Settings, Value};

const REGISTRY: &str = "registry.npmjs.org";

/// What one file or the environment says.
pub type Level = BTreeMap<String, Value>;

/// Finds them.
pub fn find(settings: &mut Settings) -> Result<(), PresetError> {
    let levels = levels(settings)?;
    let mut effective = Level::new();
    for (key, value) in levels.into_iter().flatten() {
        effective.entry(key).or_insert(value);
    }
    match effective.get("registry").filter(|registry| !registry.text.is_empty()) {
        Some(registry) => settings.reach("npm registry", registry, &[REGISTRY])?,
        None => settings.reach_default("npm registry: npm's own default", REGISTRY),
    }
    for (key, registry) in &effective {
        if let Some(scope) = key.strip_suffix(":registry") {
            settings.reach(&format!("npm registry of {scope}"), registry, &[REGISTRY])?;
        }
    }
    let proxies = ["proxy", "https-proxy"].iter().filter_map(|key| effective.get(*key));
    proxies
        .filter(|proxy| !["", "null", "false"].contains(&proxy.text.as_str()))
        .for_each(|proxy| settings.proxy(proxy));
    let projects: Vec<PathBuf> = settings.projects().into_iter().map(|directory| directory.join(".npmrc")).collect();
    settings.not_read(projects, &["registry"]);
    Ok(())
}

/// What is said where, what counts most first.
fn levels(settings: &mut Settings) -> Result<Vec<Level>, PresetError> {
    let environment = environment(settings);
    let own = own_file(settings);
    let own = own.map(|path| file(settings, &path)).transpose()?.unwrap_or_default();
    let user = location("userconfig", settings, &[&environment, &own]);
    let user = user.unwrap_or_else(|| settings.home.join(".npmrc"));
    let user = file(settings, &user)?;
    let global = global_file(settings, &[&environment, &user, &own])?;
    let global = global.map(|path| file(settings, &path)).transpose()?.unwrap_or_default();
    Ok(vec![environment, user, global, own])
}

/// `npm_config_` and a key, in any case; `_` stands for `-`.
fn environment(settings: &Settings) -> Level {
    let mut level = Level::new();
    for (name, value) in &settings.variables {
        let prefix = "npm_config_";
        let key = name.get(prefix.len()..).filter(|_| name[..prefix.len()].eq_ignore_ascii_case(prefix));
        if let Some(key) = key.filter(|_| !value.is_empty()) {
            let origin = Origin::Variable(name.clone());
            level.insert(key.to_lowercase().replace('_', "-"), Value { text: value.trim().to_owned(), origin });
        }
    }
    level
}

fn file(settings: &mut Settings, path: &Path) -> Result<Level, PresetError> {
    let Some(text) = settings.read(path)? else { return Ok(Level::new()) };
    npmrc::read(&text, path, &settings.variables)
}

/// Where one of the settings says that another file is.
fn location(key: &str, settings: &Settings, levels: &[&Level]) -> Option<PathBuf> {
    levels.iter().find_map(|level| level.get(key)).map(|value| settings.path(&value.text))
}

/// The one that lies beside npm's program.
fn own_file(settings: &mut Settings) -> Option<PathBuf> {
    let (found, meant) = settings.program("npm")?;
    settings.counts(&found);
    Some(without(&meant, "bin/npm-cli.js")?.join("npmrc"))
}

/// The global one: where it is said to be, else below the prefix, which is where node lies.
fn global_file(settings: &mut Settings, levels: &[&Level]) -> Result<Option<PathBuf>, PresetError> {
    if let Some(path) = location("globalconfig", settings, levels) {
        return Ok(Some(path));
    }
    let prefix = location("prefix", settings, levels);
    let prefix = prefix.or_else(|| settings.variable("PREFIX").map(|prefix| settings.path(prefix)));
    if let Some(prefix) = prefix {
        return Ok(Some(prefix.join("etc/npmrc")));
    }
    let Some((found, meant)) = settings.program("node") else { return Ok(None) };
    settings.counts(&found);
    if !is_program(&meant) {
        return Err(What::Shim("node").at(Origin::File(found, None)));
    }
    Ok(meant.parent().and_then(Path::parent).map(|prefix| prefix.join("etc/npmrc")))
}

/// Not a script or a link to something else, by which some version managers start a node.
fn is_program(path: &Path) -> bool {
    let named = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("node"));
    let mut beginning = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut beginning));
    named && read.is_ok() && beginning == *b"\x7fELF"
}

/// A path without the components that it ends with.
fn without<'p>(path: &'p Path, suffix: &str) -> Option<&'p Path> {
    let components = Path::new(suffix).components().count();
    if path.ends_with(suffix) { path.ancestors().nth(components) } else { None }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::settings::tests::Machine;
    use super::*;

    #[test]
    fn without_settings_it_is_npms_own() {
        assert_eq!(Machine::new().reaches(find, &[]).unwrap(), ["auto://registry.npmjs.org:443"]);
    }

    #[test]
    fn registries_and_those_of_scopes_are_found_and_no_default_beside_them() {
        let machine = Machine::new();
        machine.write(
            "home/.npmrc",
            "registry=https://registry.corp.example/npm/\n@team:registry = http://team.corp.example:8081/\n\
             //registry.corp.example/npm/:_authToken=s3cret\n",
        );
        let expected = ["auto://registry.corp.example:443!", "http://team.corp.example:8081!"];
        assert_eq!(machine.reaches(find, &[]).unwrap(), expected);
    }

    #[test]
    fn the_environment_counts_more_than_the_user_and_the_user_more_than_global() {
        let machine = Machine::new();
        machine
            .write("opt/bin/node", "\x7fELF")
            .write("opt/etc/npmrc", "registry=https://global.example/\n@a:registry=https://a.example/");
        let path = machine.path("opt/bin");
        let path = ("PATH", path.to_str().unwrap());
        assert_eq!(machine.reaches(find, &[path]).unwrap(), ["auto://global.example:443!", "auto://a.example:443!"]);
        machine.write("home/.npmrc", "registry=https://user.example/");
        assert_eq!(machine.reaches(find, &[path]).unwrap(), ["auto://user.example:443!", "auto://a.example:443!"]);
        let variable = ("NPM_CONFIG_REGISTRY", "https://environment.example/");
        let expected = ["auto://environment.example:443!", "auto://a.example:443!"];
        assert_eq!(machine.reaches(find, &[path, variable]).unwrap(), expected);
    }

    #[test]
    fn files_are_where_settings_say_and_npms_own_counts_least() {
        let machine = Machine::new();
        machine.write("u", "prefix = ${HOME}/p").write("home/p/etc/npmrc", "registry=https://prefix.example/");
        machine.write("npm/bin/npm-cli.js", "").write("npm/npmrc", "registry=https://own.example/");
        std::fs::create_dir(machine.path("bin")).unwrap();
        symlink("../npm/bin/npm-cli.js", machine.path("bin/npm")).unwrap();
        let (user, home, path) = (machine.path("u"), machine.path("home"), machine.path("bin"));
        let home = ("HOME", home.to_str().unwrap());
        let path = ("PATH", path.to_str().unwrap());
        let user = ("npm_config_userconfig", user.to_str().unwrap());
        assert_eq!(machine.reaches(find, &[home, path, user]).unwrap(), ["auto://prefix.example:443!"]);
        assert_eq!(machine.reaches(find, &[home, path]).unwrap(), ["auto://own.example:443!"]);
    }

    #[test]
    fn a_project_s_settings_are_not_read_and_that_is_said() {
        let machine = Machine::new();
        machine.write("home/project/.npmrc", "registry=https://evil.example/");
        assert_eq!(machine.reaches(find, &[]).unwrap(), ["auto://registry.npmjs.org:443"]);
        let notes = machine.notes(find, &[]);
        assert!(notes.len() == 1 && notes[0].contains("project/.npmrc is not read"), "{notes:?}");
        machine.write("home/project/.npmrc", "save-exact=true");
        assert_eq!(machine.notes(find, &[]), [""; 0]);
    }

    #[test]
    fn a_proxy_is_not_allowed_and_that_is_said() {
        let machine = Machine::new();
        machine.write("home/.npmrc", "https-proxy=http://u:s3cret@proxy.corp.example:3128");
        assert_eq!(machine.reaches(find, &[]).unwrap(), ["auto://registry.npmjs.org:443"]);
        let notes = machine.notes(find, &[]);
        assert!(notes[0].contains("proxy.corp.example of ") && !notes[0].contains("s3cret"), "{notes:?}");
    }

    #[test]
    fn what_is_not_understood_is_an_error_with_its_place_and_never_the_default() {
        let machine = Machine::new();
        machine.write("home/.npmrc", "\nregistry=u:s3cret@registry.corp.example");
        let error = machine.error(find, &[]);
        assert!(error.contains(".npmrc:2: this is no URL: write https://NAME") && !error.contains("s3cret"), "{error}");
        machine.write("home/.npmrc", "registry=https://${WHERE}/");
        assert!(machine.error(find, &[]).contains("the variable `WHERE`"));
        assert_eq!(machine.reaches(find, &[("WHERE", "w.example")]).unwrap(), ["auto://w.example:443!"]);
        machine.write("home/.npmrc", "registry=http://localhost:4873/");
        assert!(machine.error(find, &[]).contains("loopback"));
        machine.write("home/.npmrc", "").write("shims/node", "#!/bin/sh\n");
        let shims = machine.path("shims");
        assert!(machine.error(find, &[("PATH", shims.to_str().unwrap())]).contains("npm_config_globalconfig"));
    }
}
