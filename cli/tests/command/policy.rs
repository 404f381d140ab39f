//! Does `bottle policy` tell good files from bad ones, with place and mend?

use crate::place::Place;

const GOOD: &str = "version: 1\ndomains:\n  - pattern: \"*.example.com\"\n    ports: [443]\n";

#[test]
fn a_good_policy_is_ok() {
    let place = Place::new();
    place.write("p.yaml", GOOD);
    let said = place.bottle(&["policy", "check", "p.yaml"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert_eq!(said.out, "p.yaml: ok, mode enforce, 1 name rule and 0 address rules\n");
}

#[test]
fn a_bad_policy_names_file_line_and_column_and_a_hint() {
    let place = Place::new();
    place.write("p.yaml", "version: 1\ndomains:\n  - pattern: a.example\n    ports: []\n");
    let said = place.bottle(&["policy", "check", "p.yaml"]);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(said.err.starts_with("bottle: p.yaml:4:12: "), "{}", said.err);
    assert!(said.err.contains("^") && said.err.contains("hint: "), "{}", said.err);
}

#[test]
fn all_files_are_checked_though_the_first_is_bad() {
    let place = Place::new();
    place.write("bad.yaml", "version: 9\n");
    place.write("good.yaml", GOOD);
    let said = place.bottle(&["policy", "check", "bad.yaml", "good.yaml"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("bad.yaml:1:") && said.out.starts_with("good.yaml: ok"), "{said:?}");
}

#[test]
fn json_has_the_digest_of_a_good_file_and_the_problems_of_a_bad_one() {
    let place = Place::new();
    place.write("bad.yaml", "version: 1\nsurprise: 2\n");
    place.write("good.yaml", GOOD);
    let said = place.bottle(&["policy", "check", "--json", "good.yaml", "bad.yaml"]);
    assert_eq!(said.code, 1);
    let answers = said.json();
    assert_eq!(answers[0]["ok"], true);
    assert_eq!(answers[0]["digest"].as_str().map(str::len), Some(64));
    assert_eq!((&answers[1]["ok"], &answers[1]["problems"][0]["line"]), (&false.into(), &2.into()));
}

#[test]
fn a_file_that_is_missing_keeps_no_other_from_being_checked_and_json_names_it() {
    let place = Place::new();
    place.write("bad.yaml", "version: 9\n");
    place.write("good.yaml", GOOD);
    let said = place.bottle(&["policy", "check", "nowhere.yaml", "bad.yaml", "good.yaml"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("nowhere.yaml") && said.err.contains("bad.yaml:1:"), "{}", said.err);
    assert!(said.out.starts_with("good.yaml: ok"), "{}", said.out);
    let said = place.bottle(&["policy", "check", "--json", "nowhere.yaml", "good.yaml"]);
    let answers = said.json();
    assert_eq!((said.code, &answers[0]["ok"], &answers[1]["ok"]), (2, &false.into(), &true.into()));
    assert!(answers[0]["problems"][0]["what"].as_str().is_some_and(|what| what.contains("No such file")), "{answers}");
}

#[test]
fn a_rule_that_never_applies_is_warned_of() {
    let place = Place::new();
    place.write("p.yaml", "version: 1\nmode: observe\ndomains:\n  - pattern: dns.google\n");
    let said = place.bottle(&["policy", "check", "p.yaml"]);
    assert_eq!(said.code, 0);
    assert!(said.err.contains("warning: domains[0] at p.yaml:4:5 never applies: dns.google serves"), "{}", said.err);
    assert_eq!(
        place.bottle(&["policy", "check", "--json", "p.yaml"]).json()[0]["warnings"].as_array().map(Vec::len),
        Some(1)
    );
}

#[test]
fn a_missing_file_is_an_error_of_io() {
    let said = Place::new().bottle(&["policy", "check", "nowhere.yaml"]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(said.err.contains("cannot read the policy nowhere.yaml\n  because: No such file"), "{}", said.err);
}

#[test]
fn show_unites_files_and_flags_into_one_digest() {
    let place = Place::new();
    place.write("p.yaml", "version: 1\ndomains:\n  - pattern: a.example\n    ports: [443]\n    protocol: tls\n");
    let digest = |arguments: &[&str]| {
        let said = place.bottle(&[&["policy", "show"], arguments].concat());
        said.out.lines().next().expect("a digest").to_owned()
    };
    assert_eq!(digest(&["--policy", "p.yaml"]), digest(&["--allow", "a.example"]));
    assert_eq!(digest(&["p.yaml"]), digest(&["--policy", "p.yaml"]));
    assert_ne!(digest(&["--policy", "p.yaml"]), digest(&["--policy", "p.yaml", "--allow", "b.example"]));
}

#[test]
fn the_schema_is_json() {
    let said = Place::new().bottle(&["policy", "schema"]);
    assert!(said.json()["properties"]["domains"].is_object());
}

#[test]
fn control_characters_of_a_file_never_reach_the_terminal() {
    let place = Place::new();
    place.write("p.yaml", "version: 1\n\"\\e[2J\": 2\n");
    let said = place.bottle(&["policy", "check", "p.yaml"]);
    assert_eq!(said.code, 1);
    assert!(!said.err.contains('\x1b'), "{:?}", said.err);
}

#[test]
fn the_example_policies_are_good() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/policies");
    let place = Place::new();
    for file in std::fs::read_dir(examples).expect("the examples") {
        let path = file.expect("a file").path();
        let said = place.bottle(&["policy", "check", path.to_str().expect("UTF-8")]);
        assert_eq!(said.code, 0, "{}", said.err);
    }
}
