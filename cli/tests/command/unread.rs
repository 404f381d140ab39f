//! Does a verb's exit code stand when nobody reads what it prints, as in `bottle audit verify … | grep -q run`?

use std::process::{Command, Stdio};

use bottle_evidence::Digest;
use bottle_evidence::key::SigningKey;

use crate::audit::log;
use crate::place::{Place, Said};

fn unread(place: &Place, arguments: &[&str]) -> Said {
    into_nothing(place.command(arguments))
}

/// Runs it with a standard output whose reader is gone already.
fn into_nothing(mut command: Command) -> Said {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    command.stdout(Stdio::from(writer)).output().map(Said::from).expect("the built command")
}

fn place_with_a_log(ended: bool) -> Place {
    let place = Place::new();
    place.write("a.jsonl", log(Digest::ZERO, ended));
    place.write("bottle.pub", SigningKey::from_seed([3; 32]).public().to_pem());
    place
}

#[test]
fn an_incomplete_log_is_refused_all_the_same() {
    let place = place_with_a_log(false);
    for more in [&[][..], &["--json"]] {
        let said = unread(&place, &[&["audit", "verify", "a.jsonl", "--key", "bottle.pub"], more].concat());
        assert_eq!(said.code, 1, "{said:?}");
        assert!(said.err.contains("incomplete"), "{}", said.err);
    }
}

#[test]
fn an_attestation_that_does_not_hold_is_refused_all_the_same() {
    let place = place_with_a_log(true);
    let said = unread(&place, &["attest", "verify", "a.jsonl", "--key", "bottle.pub", "--json"]);
    assert_eq!(said.code, 10, "{said:?}");
}

#[test]
fn a_destination_is_denied_all_the_same() {
    for more in [&[][..], &["--json"]] {
        let said = unread(&Place::new(), &[&["why", "evil.example"], more].concat());
        assert_eq!(said.code, 1, "{said:?}");
    }
}

#[test]
fn a_host_that_can_not_run_bottle_is_told_all_the_same() {
    let place = Place::new();
    place.write("file", "");
    let mut command = place.command(&["doctor"]);
    command.env("BOTTLE_ROOT", place.path("file"));
    let said = into_nothing(command);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("evidence directory"), "{}", said.err);
}

#[test]
fn what_was_asked_for_and_shown_is_no_error() {
    let said = unread(&place_with_a_log(true), &["audit", "show", "a.jsonl"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
}
