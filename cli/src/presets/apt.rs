//! Which archives do apt's settings name? sources.list, sources.list.d in both forms, and lists of mirrors on the disk.

use std::path::{Path, PathBuf};

use super::apt_conf;
use super::apt_sources::{deb822, one_line};
use super::error::{PresetError, What};
use super::settings::{Origin, Settings, Value};

/// Settings that move the lists of sources, and all that is above them.
const MOVES: [&str; 7] = [
    "rootdir",
    "dir",
    "dir::etc",
    "dir::etc::sourcelist",
    "dir::etc::sourceparts",
    "dir::etc::parts",
    "dir::etc::main",
];

/// Archives of distributions, which never have private addresses.
const PUBLIC: [&str; 6] = [
    "deb.debian.org",
    "security.debian.org",
    "ftp.debian.org",
    "archive.ubuntu.com",
    "security.ubuntu.com",
    "ports.ubuntu.com",
];

/// Finds them. Without any source there is nothing to allow.
pub fn find(settings: &mut Settings) -> Result<(), PresetError> {
    configuration(settings)?;
    let uris = uris(settings)?;
    if uris.is_empty() {
        settings.found.notes.push("apt has no sources here, so nothing is allowed".to_owned());
    }
    for uri in uris {
        archive(settings, &uri)?;
    }
    Ok(())
}

/// What is asked, as all lists have it.
fn uris(settings: &mut Settings) -> Result<Vec<Value>, PresetError> {
    let mut uris = Vec::new();
    let main = settings.system("etc/apt/sources.list");
    let parts = settings.list(&settings.system("etc/apt/sources.list.d"))?;
    for path in std::iter::once(main).chain(parts) {
        let ending = path.extension().and_then(|ending| ending.to_str());
        let read = match ending {
            Some("list") if is_part(&path) => one_line,
            Some("sources") if is_part(&path) => deb822,
            _ => continue,
        };
        if let Some(text) = settings.read(&path)? {
            uris.extend(read(&text, &path)?);
        }
    }
    Ok(uris)
}

/// apt reads parts by these names only.
fn is_part(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

/// Allows one archive. Those on the disk ask nobody.
fn archive(settings: &mut Settings, uri: &Value) -> Result<(), PresetError> {
    let (method, rest) = uri.text.split_once(':').unwrap_or_default();
    match method.to_ascii_lowercase().as_str() {
        "file" | "copy" | "cdrom" => Ok(()),
        "mirror+file" | "mirror+copy" => mirrors(settings, &uri.origin, rest),
        method if method == "mirror" || method.starts_with("mirror+") => Err(What::MirrorList.at(uri.origin.clone())),
        _ => settings.reach("apt archive", uri, &PUBLIC),
    }
}

/// Allows each mirror of a list on the disk: an archive, and perhaps what it is good for.
fn mirrors(settings: &mut Settings, named: &Origin, path: &str) -> Result<(), PresetError> {
    let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
    let missing = || What::Syntax("the list of mirrors that it names is not there".into()).at(named.clone());
    let text = settings.read(&path)?.ok_or_else(missing)?;
    for (index, line) in text.lines().enumerate() {
        let archive = line.split_whitespace().next().filter(|word| !word.starts_with('#'));
        if let Some(archive) = archive {
            let origin = Origin::File(path.clone(), Some(index + 1));
            settings.reach("apt mirror", &Value { text: archive.to_owned(), origin }, &PUBLIC)?;
        }
    }
    Ok(())
}

/// Reads apt.conf: for proxies, and to know that the lists are where they usually are.
fn configuration(settings: &mut Settings) -> Result<(), PresetError> {
    let mut files: Vec<PathBuf> = settings.variable("APT_CONFIG").map(|path| settings.path(path)).into_iter().collect();
    let parts = settings.list(&settings.system("etc/apt/apt.conf.d"))?;
    let is_read = |path: &PathBuf| is_part(path) && path.extension().is_none_or(|ending| ending == "conf");
    files.extend(parts.into_iter().filter(is_read));
    files.push(settings.system("etc/apt/apt.conf"));
    let mut values: Vec<(String, Value)> = Vec::new();
    for path in files {
        let Some(text) = settings.read(&path)? else { continue };
        for (key, value) in apt_conf::read(&text, &path)? {
            if MOVES.contains(&key.as_str()) {
                return Err(What::Moved(key).at(value.origin));
            }
            values.retain(|(known, _)| *known != key);
            values.push((key, value));
        }
    }
    let is_proxy = |key: &str| key.starts_with("acquire::") && key.split("::").nth(2) == Some("proxy");
    let is_set = |value: &Value| !["", "direct", "false"].contains(&value.text.to_ascii_lowercase().as_str());
    values.iter().filter(|(key, value)| is_proxy(key) && is_set(value)).for_each(|(_, proxy)| settings.proxy(proxy));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::settings::tests::Machine;
    use super::*;

    #[test]
    fn without_sources_nothing_is_allowed_and_that_is_said() {
        assert_eq!(Machine::new().reaches(find, &[]).unwrap(), [""; 0]);
        assert!(Machine::new().notes(find, &[])[0].contains("no sources"));
    }

    #[test]
    fn both_forms_are_read_and_what_is_disabled_or_on_the_disk_is_not_allowed() {
        let machine = Machine::new();
        machine.write(
            "etc/apt/sources.list",
            "# deb https://no.example/ x main\ndeb http://deb.corp.example/debian stable main # why\ndeb http://deb.debian.org/debian stable main\n\
             deb-src [ arch=amd64 signed-by=/k.gpg ] https://u:s3cret@src.corp.example:8443/x ./\ndeb file:/srv/x ./\n",
        );
        machine.write(
            "etc/apt/sources.list.d/a.sources",
            "Types: deb\n# why\nURIs: https://one.example/debian\n http://two.example:8080/debian\nSuites: stable\n\n\
             Types: deb\nEnabled: no\nURIs: https://no.example/\nSuites: x\n",
        );
        machine.write("etc/apt/sources.list.d/b.list.save", "deb https://no.example/ x main");
        machine.write("etc/apt/sources.list.d/b c.list", "deb https://no.example/ x main");
        let expected = [
            "http://deb.corp.example:80!",
            "http://deb.debian.org:80",
            "auto://src.corp.example:8443!",
            "auto://one.example:443!",
            "http://two.example:8080!",
        ];
        assert_eq!(machine.reaches(find, &[]).unwrap(), expected);
    }

    #[test]
    fn a_list_of_mirrors_on_the_disk_is_read_and_one_on_a_server_is_an_error() {
        let machine = Machine::new();
        machine.write("mirrors.txt", "# why\nhttps://m.example/debian\tpriority:1\n\nhttp://n.example/debian\n");
        machine.write(
            "etc/apt/sources.list",
            &format!("deb mirror+file:{} x main", machine.path("mirrors.txt").display()),
        );
        assert_eq!(machine.reaches(find, &[]).unwrap(), ["auto://m.example:443!", "http://n.example:80!"]);
        machine.write("etc/apt/sources.list", "deb mirror+https://m.example/list x main");
        assert!(machine.error(find, &[]).contains("sources.list:1: a list of mirrors on a server"));
    }

    #[test]
    fn a_proxy_is_not_allowed_and_that_is_said() {
        let machine = Machine::new();
        machine.write("etc/apt/sources.list", "deb https://a.example/ x main");
        machine.write("etc/apt/apt.conf.d/30proxy", "Acquire::http { Proxy \"http://cache.corp.example:3142\"; };");
        machine.write("etc/apt/apt.conf", "Acquire::https::Proxy \"DIRECT\";");
        let notes = machine.notes(find, &[]);
        assert!(notes.len() == 1 && notes[0].contains("the proxy cache.corp.example of "), "{notes:?}");
    }

    #[test]
    fn what_is_not_understood_is_an_error_with_its_place() {
        for (name, text, expected) in [
            ("sources.list", "\nrpm https://a.example/ x", "sources.list:2: "),
            ("sources.list", "deb [arch=amd64 https://a.example/ x", "sources.list:1: "),
            ("sources.list", "deb https://u:s3cret@*/ x", "sources.list:1: the host"),
            ("sources.list", "deb tor+http://a.example/ x", "the scheme `tor+http`"),
            ("sources.list.d/a.sources", "Types: deb\nURIs https://a.example/", "a.sources:2: "),
            ("apt.conf", "Dir::Etc::SourceList \"/elsewhere\";", "`dir::etc::sourcelist` moves"),
            ("apt.conf", "Dir { Etc { SourceParts \"/elsewhere\"; }; };", "`dir::etc::sourceparts` moves"),
            ("apt.conf", "#include \"/elsewhere\";", "apt.conf:1: "),
        ] {
            let machine = Machine::new();
            machine.write(&format!("etc/apt/{name}"), text);
            let error = machine.error(find, &[]);
            assert!(error.contains(expected) && !error.contains("s3cret"), "{error}");
        }
    }
}
