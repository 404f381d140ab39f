//! Is everything that `bottle demo` shows as it claims, here and now? It brings its own sealed internet.

use crate::place::{Place, Said};

fn demo(path: &str) -> Said {
    let place = Place::new();
    let output = place.command(&["demo"]).env("PATH", path).output();
    Said::from(output.expect("the built command"))
}

#[test]
fn everything_is_as_claimed() {
    let said = demo("/usr/bin:/bin");
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.out);
    assert!(!said.out.contains('✗'), "{}", said.out);
    assert_eq!(said.out.matches("\n✓ ").count(), 10, "{}", said.out);
    for refused in ["https://evil.attacker.example/", "http://11.6.6.6/", "ask 11.8.8.8:53", "over UDP"] {
        let line = said.out.lines().position(|line| line.starts_with('✓') && line.contains(refused));
        let found = said.out.lines().nth(line.expect(refused) + 1).expect("what was found");
        assert!(found.contains("0 bytes arrived · 0 packets left · recorded: "), "{found}");
    }
}

#[test]
fn without_curl_the_built_in_clients_show_the_same() {
    let said = demo("/nonexistent");
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.out);
    assert!(said.out.contains("(built-in client)") && !said.out.contains("$ curl"), "{}", said.out);
}

#[test]
fn nothing_of_it_is_left() {
    let place = Place::new();
    let said = Said::from(place.command(&["demo"]).env("TMPDIR", place.path("")).output().expect("the built command"));
    assert_eq!(said.code, 0, "{}", said.out);
    let left: Vec<_> =
        std::fs::read_dir(place.path("")).expect("the directory").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, Vec::<std::ffi::OsString>::new());
}
