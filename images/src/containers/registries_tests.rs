//! What configurations mean for names.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;

fn places(root: &Path) -> Places {
    Places { uid: 1000, home: root.join("home"), variables: BTreeMap::new(), host: root.to_owned() }
}

/// Registries of a host with these files.
fn configured(files: &[(&str, &str)]) -> Result<Registries, RegistriesError> {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    Registries::load(&places(root.path()))
}

fn names(registries: &Registries, name: &str) -> Vec<String> {
    registries.names(&name.parse().unwrap()).unwrap().iter().map(Name::to_string).collect()
}

fn endpoints(registries: &Registries, name: &str) -> Vec<String> {
    let name = name.parse::<Written>().unwrap().full().unwrap();
    let shown = |endpoint: Endpoint| {
        format!("{}{}/{}", if endpoint.insecure { "!" } else { "" }, endpoint.host, endpoint.repository)
    };
    registries.endpoints(&name).unwrap().into_iter().map(shown).collect()
}

const SYSTEM: &str = "etc/containers/registries.conf";

#[test]
fn short_names_are_looked_for_where_it_is_said() {
    let nothing = configured(&[]).unwrap();
    assert_eq!(names(&nothing, "debian"), ["docker.io/library/debian:latest"]);
    let two = configured(&[(SYSTEM, "unqualified-search-registries = ['docker.io', 'quay.io']")]).unwrap();
    assert_eq!(names(&two, "a/b:1"), ["docker.io/a/b:1", "quay.io/a/b:1"]);
    assert_eq!(names(&two, "x.y/z"), ["x.y/z:latest"]);
    let none = configured(&[(SYSTEM, "# nothing")]).unwrap();
    assert!(matches!(none.names(&"a".parse().unwrap()), Err(ShortNameError::Nowhere(_))));
    let strict = "unqualified-search-registries = ['docker.io', 'quay.io']\nshort-name-mode = 'enforcing'";
    let error = configured(&[(SYSTEM, strict)]).unwrap().names(&"a".parse().unwrap()).unwrap_err();
    assert_eq!(error.hint(), "write docker.io/a");
}

#[test]
fn aliases_and_the_users_own_files_win() {
    let registries = configured(&[
        (SYSTEM, "unqualified-search-registries = ['system.example']"),
        (
            "etc/containers/registries.conf.d/10.conf",
            "[aliases]\n'fedora' = 'registry.example/f'\n'x' = 'one.example/x'",
        ),
        ("home/.config/containers/registries.conf", "unqualified-search-registries = ['user.example']"),
        ("home/.cache/containers/short-name-aliases.conf", "[aliases]\n'x' = 'two.example/x'"),
    ])
    .unwrap();
    assert_eq!(names(&registries, "fedora:40"), ["registry.example/f:40"]);
    assert_eq!(names(&registries, "x"), ["two.example/x:latest"]);
    assert_eq!(names(&registries, "y"), ["user.example/y:latest"]);
}

#[test]
fn the_longest_prefix_says_where_an_image_is() {
    let registries = configured(&[(
        SYSTEM,
        "[[registry]]\nprefix = 'a.example'\nlocation = 'b.example/all'\n\
         [[registry.mirror]]\nlocation = 'm.example:5000'\ninsecure = true\n\
         [[registry.mirror]]\nlocation = 'd.example'\npull-from-mirror = 'digest-only'\n\
         [[registry]]\nprefix = 'a.example/team'\ninsecure = true\n\
         [[registry]]\nprefix = '*.corp.example'\nlocation = 'cache.example'\n\
         [[registry]]\nlocation = 'no.example'\nblocked = true",
    )])
    .unwrap();
    assert_eq!(endpoints(&registries, "a.example/x"), ["!m.example:5000/x", "b.example/all/x"]);
    assert_eq!(endpoints(&registries, "a.example/team/x"), ["!a.example/team/x"]);
    assert_eq!(endpoints(&registries, "a.example/teams"), ["!m.example:5000/teams", "b.example/all/teams"]);
    assert_eq!(endpoints(&registries, "x.y.corp.example:1/z"), ["cache.example/z"]);
    assert_eq!(endpoints(&registries, "corp.example/z"), ["corp.example/z"]);
    let digest = crate::digest::Digest::of(b"");
    assert_eq!(endpoints(&registries, &format!("a.example/x@{digest}")).len(), 3);
    let blocked = "no.example/x".parse::<Written>().unwrap().full().unwrap();
    assert!(matches!(registries.endpoints(&blocked), Err(RegistriesError::Blocked { .. })));
}

#[test]
fn what_makes_no_sense_says_where() {
    assert!(matches!(
        configured(&[(SYSTEM, "[registries.search]\nregistries = []")]),
        Err(RegistriesError::VersionOne(_))
    ));
    assert!(matches!(configured(&[(SYSTEM, "[[registry]]\ninsecure = true")]), Err(RegistriesError::Unnamed(_))));
    assert!(matches!(configured(&[(SYSTEM, "x = ")]), Err(RegistriesError::Toml { .. })));
    assert!(configured(&[(SYSTEM, "credential-helpers = ['x']\nfuture = 1")]).is_ok());
}
