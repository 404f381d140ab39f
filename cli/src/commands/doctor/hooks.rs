//! Which hooks of ours would engines call, and is their program there? podman leaves out a hook whose program is gone, and starts the
//! container as if there were none.

use std::path::{Path, PathBuf};

use rustix::fs::Access;
use serde_json::Value;

/// Where podman and CRI-O look unless they are told otherwise (oci-hooks(5)).
const DIRECTORIES: [&str; 2] = ["/usr/share/containers/oci/hooks.d", "/etc/containers/oci/hooks.d"];

/// What tells podman otherwise (containers.conf(5)), besides the user's own.
const SETTINGS: [&str; 2] = ["/usr/share/containers/containers.conf", "/etc/containers/containers.conf"];

/// One that is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// The file that has engines call it.
    pub file: PathBuf,
    /// What they execute.
    pub program: PathBuf,
    /// The settings that it is told to read.
    pub settings: Option<PathBuf>,
    /// Whether whoever asks could.
    pub works: bool,
}

/// All that are installed, in order.
pub fn find() -> Vec<Hook> {
    let named = containers_conf().flat_map(|settings| directories(&settings));
    let mut all: Vec<PathBuf> = DIRECTORIES.map(PathBuf::from).into_iter().chain(named).collect();
    all.sort_unstable();
    all.dedup();
    all.iter().flat_map(|directory| installed(directory)).collect()
}

/// What podman is told, the last word last. What it can't read is for podman to refuse.
pub fn containers_conf() -> impl Iterator<Item = toml::Table> {
    let own = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let own = own.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")));
    let files = SETTINGS.map(PathBuf::from).into_iter().chain(own.map(|own| own.join("containers/containers.conf")));
    files.filter_map(|path| std::fs::read_to_string(path).ok()).map(|text| text.parse().unwrap_or_default())
}

/// Those that a containers.conf names.
fn directories(settings: &toml::Table) -> Vec<PathBuf> {
    let listed = settings.get("engine").and_then(|engine| engine.get("hooks_dir")).and_then(toml::Value::as_array);
    listed.into_iter().flatten().filter_map(toml::Value::as_str).map(PathBuf::from).collect()
}

fn installed(directory: &Path) -> Vec<Hook> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|it| it == "json")).collect();
    files.sort_unstable();
    files.into_iter().filter_map(ours).collect()
}

fn ours(file: PathBuf) -> Option<Hook> {
    let written: Value = serde_json::from_slice(&std::fs::read(&file).ok()?).ok()?;
    let hook = &written["hook"];
    let is_ours = hook["args"][1] == "hook" && (hook["args"][2] == "create" || hook["args"][2] == "stop");
    let program = PathBuf::from(hook["path"].as_str().filter(|_| is_ours)?);
    let works = program.is_file() && rustix::fs::access(&program, Access::EXEC_OK).is_ok();
    let mut words = hook["args"].as_array().into_iter().flatten().skip_while(|word| *word != "--settings");
    let settings = words.nth(1).and_then(Value::as_str).map(PathBuf::from);
    Some(Hook { file, program, settings, works })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_directories_of_a_containers_conf_are_found_and_what_is_none_has_none() {
        let text = "[engine]\nruntime = \"runc\"\nhooks_dir = [\"/a/hooks.d\", \"/b\"]\n";
        let directories = |text: &str| super::directories(&text.parse().unwrap_or_default());
        assert_eq!(directories(text), [Path::new("/a/hooks.d"), Path::new("/b")]);
        for text in
            ["", "[engine]\n", "[engine]\nhooks_dir = 7\n", "hooks_dir = [", "[containers]\nhooks_dir = [\"/a\"]\n"]
        {
            assert!(directories(text).is_empty(), "{text:?}");
        }
    }

    #[test]
    fn a_hook_of_ours_works_if_its_program_can_be_executed_and_anothers_is_not_looked_at() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, path: &Path, args: &str| {
            let text = format!("{{\"hook\": {{\"path\": {path:?}, \"args\": {args}}}}}");
            fs::write(directory.path().join(name), text).unwrap();
        };
        let plain = directory.path().join("plain");
        fs::write(&plain, "").unwrap();
        let create = "[\"bottle\", \"hook\", \"create\"]";
        write("1.json", Path::new("/bin/sh"), "[\"bottle\", \"hook\", \"create\", \"--settings\", \"/s\"]");
        write("2.json", Path::new("/nowhere/bottle"), create);
        write("3.json", &plain, "[\"bottle\", \"hook\", \"stop\"]");
        write("4.json", directory.path(), create);
        write("5.json", Path::new("/nowhere/other"), "[\"other\"]");
        write("6.other", Path::new("/nowhere/bottle"), create);
        fs::write(directory.path().join("7.json"), "{").unwrap();
        let found = installed(directory.path());
        assert_eq!(found.iter().map(|hook| hook.works).collect::<Vec<_>>(), [true, false, false, false]);
        let settings: Vec<_> = found.iter().map(|hook| hook.settings.as_deref()).collect();
        assert_eq!(settings, [Some(Path::new("/s")), None, None, None]);
    }
}
