//! Does `bottle attest` accept a complete attestation by a trusted key, and nothing else?

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use bottle_evidence::key::SigningKey;
use bottle_evidence::predicate::{
    Basis, Fact, Mode, Predicate, Probe, REQUIRED_FACTS, REQUIRED_PROBES, Stage, WORKLOAD_IDENTITY,
};
use bottle_evidence::statement::{Statement, Subjects};
use bottle_evidence::{Digest, sha256};
use serde_json::json;

use crate::audit::{log, moment};
use crate::place::{Place, Said};

fn key() -> SigningKey {
    SigningKey::from_seed([3; 32])
}

/// An attestation that says all that it must, valid for an hour.
fn predicate() -> Predicate {
    let fact = |basis: Basis, name: &str| {
        let value = if name == WORKLOAD_IDENTITY { json!({ "pid": 7, "start": 99 }) } else { json!("measured") };
        Fact { basis, how: "in a test".into(), value }
    };
    let probe = |name: &str, expected: Option<&str>, confined| {
        let answer = "ab".repeat(32);
        Probe::new(name, confined, expected.unwrap_or(&answer), expected.unwrap_or(&answer))
    };
    let probes = REQUIRED_PROBES.iter();
    Predicate {
        run: "feed".into(),
        stage: Stage::Start,
        issued: moment(0),
        expires: moment(0) + Duration::from_secs(3600),
        nonce: Digest([9; 32]),
        mode: Mode::Enforce,
        facts: REQUIRED_FACTS
            .iter()
            .map(|required| (required.name.to_owned(), fact(required.basis, required.name)))
            .collect(),
        probes: probes
            .flat_map(|required| [false, true].map(|confined| probe(required.name, required.expected, confined)))
            .collect(),
    }
}

fn attestation(predicate: Predicate) -> Vec<u8> {
    let subjects = Subjects { binary: Digest([1; 32]), image: Digest([2; 32]), policy: Digest([5; 32]) };
    Statement::new(subjects, predicate).unwrap().sign(&key()).expect("a canonical form").to_bytes()
}

fn verify_as_of(bytes: &[u8], second: u64, more: &[&str]) -> Said {
    let place = Place::new();
    place.write("att.json", bytes);
    place.write("bottle.pub", key().public().to_pem());
    let at = moment(second).to_string();
    place.bottle(&[&["attest", "verify", "att.json", "--key", "bottle.pub", "--at", &at], more].concat())
}

#[test]
fn a_complete_attestation_holds() {
    let said = verify_as_of(&attestation(predicate()), 5, &[]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(said.out.starts_with("att.json: ok, signed by key "), "{}", said.out);
    assert!(said.out.contains("run feed, at its start, mode enforce"), "{}", said.out);
}

#[test]
fn an_expired_one_does_not_hold_now_and_the_hint_says_how_to_look_back() {
    let said = verify_as_of(&attestation(predicate()), 7200, &[]);
    assert_eq!((said.code, said.out.as_str()), (16, ""));
    assert!(
        said.err.contains("does not hold: Expired\n")
            && said.err.contains("it expired at")
            && said.err.contains("hint: --at TIME"),
        "{}",
        said.err
    );
}

#[test]
fn a_missing_fact_and_a_failed_probe_are_named() {
    let mut less = predicate();
    less.facts.remove("gate.ruleset");
    let said = verify_as_of(&attestation(less), 5, &[]);
    assert_eq!(said.code, 13);
    assert!(said.err.contains("the fact gate.ruleset is missing"), "{}", said.err);
    let mut failed = predicate();
    failed.probes[0] = Probe::new("tcp-v4", false, "reset", "connected");
    let said = verify_as_of(&attestation(failed), 5, &[]);
    assert_eq!(said.code, 14);
    assert!(said.err.contains("the probe tcp-v4 did not hold"), "{}", said.err);
}

#[test]
fn each_expectation_that_is_not_met_has_a_name_and_an_exit_code_of_its_own() {
    let bytes = attestation(predicate());
    let observing = attestation(Predicate { mode: Mode::Observe, ..predicate() });
    let of = |byte: &str| format!("sha256:{}", byte.repeat(32));
    type Row<'a> = (&'a [u8], u64, &'a [&'a str], i32, &'a str);
    let rows: [Row<'_>; 16] = [
        (&bytes, 5, &["--nonce", &"09".repeat(32)], 0, "ok"),
        (&bytes, 5, &["--nonce", &"08".repeat(32)], 17, "NonceMismatch"),
        (&bytes, 5, &["--max-age", "10s"], 0, "ok"),
        (&bytes, 15, &["--max-age", "10s"], 16, "Expired"),
        (&bytes, 5, &["--image", &of("02")], 0, "ok"),
        (&bytes, 5, &["--image", &of("01")], 20, "DigestMismatch"),
        (&bytes, 5, &["--binary", &of("01")], 0, "ok"),
        (&bytes, 5, &["--binary", &of("02")], 20, "DigestMismatch"),
        (&bytes, 5, &["--mode", "enforce"], 0, "ok"),
        (&observing, 5, &["--mode", "enforce"], 18, "ModeNotEnforced"),
        (&observing, 5, &["--mode", "observe"], 0, "ok"),
        (&bytes, 5, &["--mode", "observe"], 19, "ModeNotObserved"),
        (&bytes, 5, &["--allow", "a.example"], 20, "DigestMismatch"),
        (&bytes[..bytes.len() - 1], 5, &[], 10, "Malformed"),
        (&observing, 7200, &["--mode", "enforce"], 16, "Expired"),
        (b"{}", 5, &["--mode", "enforce"], 10, "Malformed"),
    ];
    for (attestation, second, options, code, name) in rows {
        let said = verify_as_of(attestation, second, options);
        assert_eq!(said.code, code, "{options:?}: {said:?}");
        assert!(code == 0 || said.err.contains(&format!(" does not hold: {name}\n")), "{options:?}: {said:?}");
        let json = verify_as_of(attestation, second, &[options, &["--json"]].concat()).json();
        assert_eq!(json["refusal"].as_str(), (code != 0).then_some(name), "{options:?}");
    }
    assert!(verify_as_of(&bytes, 5, &["--allow", "a.example"]).err.contains("hint: give every --policy"));
    assert_eq!(verify_as_of(&bytes, 5, &["--nonce", "beef"]).code, 2);
}

#[test]
fn the_policy_of_files_is_the_attested_one_or_another() {
    let place = Place::new();
    for (file, name) in [("good.yaml", "a.example"), ("other.yaml", "b.example")] {
        place.write(file, format!("version: 1\ndomains:\n  - pattern: {name}\n"));
    }
    let digest = place.bottle(&["why", "a.example", "--policy", "good.yaml", "--json"]).json()["policy"].take();
    let policy = serde_json::from_value(digest).expect("a digest");
    let subjects = Subjects { binary: Digest([1; 32]), image: Digest([2; 32]), policy };
    let signed = Statement::new(subjects, predicate()).unwrap().sign(&key()).expect("a canonical form");
    place.write("att.json", signed.to_bytes());
    place.write("bottle.pub", key().public().to_pem());
    let at = moment(5).to_string();
    let verify = |policies: &[&str]| {
        let options = policies.iter().flat_map(|file| ["--policy", file]);
        let command = ["attest", "verify", "att.json", "--key", "bottle.pub", "--at", &at];
        place.bottle(&command.into_iter().chain(options).collect::<Vec<_>>())
    };
    assert_eq!(verify(&["good.yaml"]).code, 0);
    for policies in [&["other.yaml"][..], &["good.yaml", "other.yaml"]] {
        let said = verify(policies);
        assert!(said.code == 20 && said.err.contains(" does not hold: DigestMismatch\n"), "{policies:?}: {said:?}");
    }
    let missing = verify(&["nowhere.yaml"]);
    assert!(missing.code == 2 && missing.err.contains("nowhere.yaml"), "{missing:?}");
}

#[test]
fn another_key_is_not_trusted() {
    let place = Place::new();
    place.write("att.json", attestation(predicate()));
    place.write("other.pub", SigningKey::from_seed([4; 32]).public().to_pem());
    let said = place.bottle(&["attest", "verify", "att.json", "--key", "other.pub"]);
    assert_eq!(said.code, 11);
    assert!(said.err.contains("WrongKey\n") && said.err.contains("hint: give the public key"), "{}", said.err);
}

#[test]
fn json_has_the_whole_predicate() {
    let answer = verify_as_of(&attestation(predicate()), 5, &["--json"]).json();
    assert_eq!((&answer["ok"], &answer["attestation"]["predicate"]["run"]), (&true.into(), &"feed".into()));
    let answer = verify_as_of(&attestation(predicate()), 7200, &["--json"]).json();
    assert_eq!((&answer["ok"], &answer["attestation"]), (&false.into(), &serde_json::Value::Null));
}

#[test]
fn a_log_is_verified_together_with_the_attestation_that_it_names() {
    let bytes = attestation(predicate());
    let verify = |log: Vec<u8>| {
        let place = Place::new();
        place.write("att.json", &bytes);
        place.write("a.jsonl", log);
        place.write("bottle.pub", key().public().to_pem());
        place.bottle(&["audit", "verify", "a.jsonl", "--key", "bottle.pub", "--attestation", "att.json"])
    };
    assert_eq!(verify(log(sha256(&bytes), true)).code, 0);
    assert_eq!(verify(log(Digest::ZERO, true)).code, 1);
}

#[test]
fn show_prints_what_it_says_without_judging() {
    let place = Place::new();
    place.write("att.json", attestation(predicate()));
    let said = place.bottle(&["attest", "show", "att.json"]);
    assert_eq!(said.code, 0);
    assert!(said.out.contains("measured     agent.links") && said.out.contains("probe        tcp-v4"), "{}", said.out);
    let said = place.bottle(&["attest", "show", "--json", "att.json"]);
    assert_eq!(said.json()["predicate"]["run"], "feed");
}

#[test]
fn what_is_no_attestation_is_an_error_of_form() {
    let place = Place::new();
    place.write("x.json", "{}");
    let said = place.bottle(&["attest", "show", "x.json"]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(said.err.contains("x.json is not an attestation"), "{}", said.err);
}

#[test]
fn keygen_makes_a_private_key_once_and_prints_its_public_key() {
    let place = Place::new();
    let first = place.bottle(&["attest", "keygen", "--key", "b.key"]);
    assert_eq!(first.code, 0);
    assert!(first.out.starts_with("-----BEGIN PUBLIC KEY-----\n"), "{}", first.out);
    assert_eq!(std::fs::read_to_string(place.path("b.pub")).expect("the public key"), first.out);
    let mode = std::fs::metadata(place.path("b.key")).expect("the key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = place.bottle(&["attest", "keygen", "--key", "b.key"]);
    assert_eq!((again.code, &again.out), (0, &first.out));
    assert!(again.err.contains("exists"), "{}", again.err);
}

#[test]
fn keygen_makes_no_directory_that_it_was_given() {
    let place = Place::new();
    let said = place.bottle(&["attest", "keygen", "--key", "nosuch/b.key"]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(said.err.contains("there is no directory nosuch\nhint: make it first: mkdir -p nosuch"), "{}", said.err);
    assert!(!place.path("nosuch").exists());
}

#[test]
fn keygen_never_overwrites_a_file_that_is_no_key() {
    let place = Place::new();
    place.write("notes.txt", "mine");
    let said = place.bottle(&["attest", "keygen", "--key", "notes.txt"]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert_eq!(std::fs::read(place.path("notes.txt")).expect("the file"), b"mine");
}

#[test]
fn without_a_key_option_this_machines_own_key_is_used() {
    let place = Place::new();
    assert_eq!(place.bottle(&["attest", "keygen"]).code, 0);
    place.write("att.json", attestation(predicate()));
    let said = place.bottle(&["attest", "verify", "att.json"]);
    assert!(said.code == 11 && said.err.contains("not trusted"), "{said:?}");
}

#[test]
fn a_new_key_leaves_the_old_ones_public_half_and_nothing_else_of_it() {
    let place = Place::new();
    let first = place.bottle(&["attest", "keygen", "--key", "b.key"]).out;
    let rotated = place.bottle(&["attest", "keygen", "--key", "b.key", "--rotate"]);
    assert_eq!(rotated.code, 0, "{rotated:?}");
    assert!(rotated.out.starts_with("-----BEGIN PUBLIC KEY-----\n") && rotated.out != first, "{rotated:?}");
    assert_eq!(std::fs::read_to_string(place.path("b.pub")).expect("the public key"), rotated.out);
    let listed = place.bottle(&["attest", "keys", "--key", "b.key", "--json"]).json();
    let [signs, retired] = listed.as_array().expect("a list").as_slice() else { panic!("{listed}") };
    assert!(signs["retired"].is_null() && signs["file"] == "b.key", "{listed}");
    let file = std::path::PathBuf::from(retired["file"].as_str().expect("a path"));
    let kept = std::fs::read_to_string(&file).expect("the retired key");
    assert_eq!(kept, format!("Retired: {}\n{first}", retired["retired"].as_str().expect("a time")));
    assert_eq!(file.file_name(), Some(format!("b-{}.pub", retired["id"].as_str().expect("an id")).as_ref()));
    let text = place.bottle(&["attest", "keys", "--key", "b.key"]).out;
    assert!(text.contains("  signs  ") && text.contains("  retired 20"), "{text}");
}

#[test]
fn there_is_no_new_key_where_there_was_none() {
    let place = Place::new();
    let said = place.bottle(&["attest", "keygen", "--key", "b.key", "--rotate"]);
    assert!(said.code == 2 && said.err.contains("hint: `bottle attest keygen --key FILE` makes one"), "{said:?}");
    assert!(!place.path("b.key").exists());
}

#[test]
fn a_directory_of_keys_is_trusted_and_each_is_chosen_by_its_id() {
    let place = Place::new();
    place.write("att.json", attestation(predicate()));
    let at = moment(5).to_string();
    let verify = |key: &str| place.bottle(&["attest", "verify", "att.json", "--key", key, "--at", &at]);
    std::fs::create_dir(place.path("keys")).expect("a directory");
    let none = verify("keys");
    assert!(none.code == 2 && none.err.contains("no public key") && none.err.contains("hint: "), "{none:?}");
    place.write("keys/other.pub", SigningKey::from_seed([4; 32]).public().to_pem());
    place.write("keys/private.key", "not looked at");
    assert_eq!(verify("keys").code, 11);
    place.write("keys/signer.pub", key().public().to_pem());
    assert_eq!(verify("keys").code, 0);
    let retired = |second| key().public().clone().retired_at(moment(second)).to_pem();
    place.write("keys/signer.pub", retired(1));
    assert_eq!(verify("keys").code, 0);
    place.write("keys/signer.pub", format!("Retired: 2000-01-01T00:00:00.000000Z\n{}", key().public().to_pem()));
    let late = verify("keys");
    assert!(late.code == 11 && late.err.contains("which was retired at 2000-01-01"), "{late:?}");
    place.write("keys/signer.pub", format!("Retired: long ago\n{}", key().public().to_pem()));
    assert_eq!(verify("keys").code, 2);
}

/// An ordinary user can neither give a key away nor read another's.
#[test]
fn somebody_elses_key_is_not_signed_with_unless_they_became_root() {
    const OTHER: u32 = 54_321;
    let place = Place::new();
    let made = place.bottle(&["attest", "keygen", "--key", "other.key"]);
    assert_eq!(made.code, 0, "{made:?}");
    let given = std::os::unix::fs::chown(place.path("other.key"), Some(OTHER), None);
    assert_eq!(given.is_ok(), rustix::process::geteuid().is_root(), "{given:?}");
    if given.is_err() {
        return;
    }
    let words = ["attest", "keygen", "--key", "other.key"];
    let said = place.bottle(&words);
    assert_ne!(said.code, 0, "{said:?}");
    assert!(said.err.contains("other.key belongs to uid 54321, who can sign with it too\nhint: "), "{said:?}");
    for (user, code) in [(OTHER, 0), (OTHER + 1, said.code)] {
        let output = place.command(&words).env("SUDO_UID", user.to_string()).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
    }
}
