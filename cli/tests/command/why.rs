//! Does `bottle why` answer as the enforcing function does, with the rule and the edit?

use crate::place::{Place, Said};

fn why(arguments: &[&str]) -> Said {
    let place = Place::new();
    place.write("p.yaml", "version: 1\ndomains:\n  - pattern: db.example.com\n    ports: [5432]\n    protocol: tcp\n");
    place.bottle(&[&["why"], arguments].concat())
}

#[test]
fn an_allowed_destination_names_its_rule() {
    let said = why(&["db.example.com:5432", "--policy", "p.yaml"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert_eq!(said.out, "db.example.com:5432: allowed by domains[0] at p.yaml:3:5\n");
}

#[test]
fn a_denied_destination_exits_with_1_and_names_the_edit() {
    let said = why(&["other.example", "--policy", "p.yaml"]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("denied") && said.out.contains("--allow other.example"), "{}", said.out);
}

#[test]
fn without_a_policy_nothing_is_allowed() {
    assert_eq!(why(&["example.com"]).code, 1);
    assert_eq!(why(&["example.com", "--allow-all"]).code, 0);
}

#[test]
fn metadata_addresses_are_denied_even_when_all_is_allowed() {
    let said = why(&["169.254.169.254:80", "--mode", "observe"]);
    assert_eq!(said.code, 1, "{said:?}");
}

#[test]
fn json_says_allowed_and_the_policys_digest() {
    let answer = why(&["other.example", "--policy", "p.yaml", "--json"]).json();
    assert_eq!(answer["allowed"], false);
    assert_eq!(answer["policy"].as_str().map(str::len), Some(64));
    assert_eq!(answer["explanation"]["verdict"]["deny"], "no-rule");
}

#[test]
fn what_is_no_destination_is_misuse_with_a_hint() {
    for text in ["0x7f.1", "user@example.com", "a.example:0", ""] {
        let said = why(&[text]);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{text}");
        assert!(said.err.contains("hint: write NAME"), "{}", said.err);
    }
}

#[test]
fn a_url_is_no_destination_and_the_hint_says_what_to_leave_out() {
    for (text, hint) in [
        ("https://a.example/", "hint: write NAME or NAME:PORT: leave out the scheme"),
        ("http://a.example/", "hint: write http://NAME or http://NAME:PORT, and leave out what follows"),
        ("tcp://a.example", "hint: write tcp://NAME:PORT"),
    ] {
        let said = why(&[text]);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{text}");
        assert!(said.err.contains(hint), "{}", said.err);
    }
}

#[test]
fn what_the_hints_of_bottle_say_is_a_destination() {
    let said = why(&["tcp://db.example.com:5432", "--policy", "p.yaml"]);
    assert!(said.code == 0 && said.out.contains("allowed by domains[0]"), "{said:?}");
    let said = why(&["http://a.example"]);
    assert!(said.code == 1 && said.out.contains("to allow it: --allow http://a.example,"), "{said:?}");
}

#[test]
fn observe_with_rules_is_refused_with_a_hint() {
    let said = why(&["a.example", "--mode", "observe", "--policy", "p.yaml"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("hint: leave out --policy"), "{}", said.err);
    assert_eq!(why(&["a.example", "--allow-all", "--policy", "p.yaml"]).code, 2);
}

#[test]
fn a_wrong_allow_flag_says_what_to_write() {
    let said = why(&["a.example", "--allow", "https://a.example"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("hint: leave the scheme out"), "{}", said.err);
}
