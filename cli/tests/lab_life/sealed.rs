//! Does a TPM keep the key and quote for the very run, as tools say that share no code with us?
//!
//! The command must have been built with the feature `tpm`, as tests/run does.

#[path = "../../../tpm/tests/swtpm/mod.rs"]
mod swtpm;

use std::fs;
use std::process::Command;

use base64ct::{Base64, Encoding};
use bottle_evidence::dsse::{Envelope, IN_TOTO};
use bottle_evidence::key::SigningKey;
use bottle_evidence::sha256;
use bottle_evidence::statement::Statement;
use serde_json::Value;
use swtpm::{Swtpm, checkquote};

use crate::detached::Detached;
use crate::world::{Said, World, said, text};

/// `bottle` with a TPM.
fn bottle(world: &World, tpm: &Swtpm, arguments: &[&str]) -> Said {
    said(world.bottle(arguments).env("BOTTLE_TPM", tpm.socket()))
}

fn run(world: &World, tpm: &Swtpm, options: &[&str]) -> Said {
    let mut command: Command = world.run(&[options, &["host", "--", "sh", "-c", "echo > ran"]].concat());
    said(command.env("BOTTLE_TPM", tpm.socket()))
}

/// The key that signs a TPM's quotes, in a file.
fn tpm_key(world: &World, tpm: &Swtpm) -> String {
    let key = bottle(world, tpm, &["attest", "tpm-key"]);
    let hint = "hint: build the command with the feature: cargo test -p bottle --features tpm, as tests/run does";
    assert_eq!(key.code, 0, "{key:?}\n{hint}");
    let path = world.path("tpm.pub");
    fs::write(&path, &key.out).unwrap();
    text(&path).to_owned()
}

fn statement(world: &World) -> Statement {
    let envelope = Envelope::from_bytes(&fs::read(world.attestation()).unwrap()).unwrap();
    serde_json::from_slice(&Base64::decode_vec(&envelope.payload).unwrap()).unwrap()
}

fn quote(statement: &Statement) -> Value {
    statement.predicate.facts["tpm.quote"].value.clone()
}

#[test]
fn the_attestation_of_a_run_whose_key_a_tpm_keeps_has_a_quote_that_tpm2_checkquote_accepts() {
    let (world, tpm) = (World::new(), Swtpm::new());
    let key = tpm_key(&world, &tpm);
    bottle(&world, &tpm, &["attest", "keygen", "--seal"]).ok();
    let file = fs::read_to_string(world.path("state/data/keys/bottle.key")).unwrap();
    assert!(!file.contains("PRIVATE KEY") && file.starts_with("{\"key\":"), "{file}");
    let nonce = "0a".repeat(32);
    run(&world, &tpm, &["--nonce", &nonce]).ok();
    let verify = |more: &[&str]| said(world.bottle(&["attest", "verify", text(&world.attestation())]).args(more));
    verify(&["--nonce", &nonce, "--tpm-ak", &key]).ok();
    world.verify_log().ok();
    let (statement, spki) = (statement(&world), world.path("state/data/keys/bottle.pub"));
    let signer = bottle_evidence::key::PublicKey::from_pem(&fs::read_to_string(spki).unwrap()).unwrap().id();
    let asked = format!(r#"{{"key":"{signer}","nonce":"{nonce}","run":"{}"}}"#, statement.predicate.run);
    let question = sha256(format!("bottle tpm quote v1\n{asked}").as_bytes()).to_string();
    let said_by_tpm = quote(&statement);
    let bytes = |member: &str| Base64::decode_vec(said_by_tpm[member].as_str().unwrap()).unwrap();
    let pem = said_by_tpm["key"].as_str().unwrap().lines().filter(|line| !line.starts_with('-')).collect::<String>();
    let spki = Base64::decode_vec(&pem).unwrap();
    assert!(checkquote(&spki, &bytes("attested"), &bytes("signature"), &question));
    assert!(!checkquote(&spki, &bytes("attested"), &bytes("signature"), &sha256(b"another").to_string()));
    let pcr = format!("7={}", said_by_tpm["pcrs"]["7"].as_str().unwrap());
    verify(&["--tpm-ak", &key, "--pcr", &pcr]).ok();
    let other = verify(&["--tpm-ak", &key, "--pcr", &format!("7={nonce}")]);
    assert!(other.code == 35 && other.err.contains("PcrMismatch") && other.err.contains("hint: "), "{other:?}");
    let elsewhere = Swtpm::new();
    let other = verify(&["--tpm-ak", &tpm_key(&world, &elsewhere)]);
    assert!(other.code == 32 && other.err.contains("QuoteWrongKey"), "{other:?}");
}

#[test]
fn a_bottle_that_runs_is_attested_again_with_a_quote_for_the_new_nonce() {
    let (world, tpm) = (World::new(), Swtpm::new());
    let key = tpm_key(&world, &tpm);
    let bottle = Detached::start(&world, &["--tpm", text(&tpm.socket()), "host", "--", "sleep", "1000"]);
    let (nonce, path) = ("0b".repeat(32), world.path("renewed.json"));
    let renew = ["attest", "renew", &bottle.id, "--nonce", &nonce, "--attestation", text(&path)];
    said(&mut world.bottle(&renew)).ok();
    said(&mut world.bottle(&["attest", "verify", text(&path), "--nonce", &nonce, "--tpm-ak", &key])).ok();
    drop(tpm);
    let refused = said(&mut world.bottle(&renew));
    assert!(refused.code != 0 && refused.err.contains("TPM"), "{refused:?}");
}

#[test]
fn a_key_that_is_sealed_for_pcrs_is_given_back_only_while_they_are_as_they_were() {
    let (world, tpm) = (World::new(), Swtpm::new());
    tpm_key(&world, &tpm);
    tpm.extend(7);
    bottle(&world, &tpm, &["attest", "keygen", "--seal", "--pcrs", "0,7"]).ok();
    run(&world, &tpm, &[]).ok();
    fs::remove_file(world.project("ran")).unwrap();
    tpm.extend(7);
    let refused = run(&world, &tpm, &[]);
    assert!(refused.refused().contains("PCRs") && refused.err.contains("hint: "), "{refused:?}");
    assert!(!world.project("ran").exists());
    let tpm = tpm.restarted();
    tpm.extend(7);
    run(&world, &tpm, &[]).ok();
    // After an update that was meant: another key, for the PCRs as they are now, and what was signed before still verifies.
    tpm.extend(0);
    run(&world, &tpm, &[]).refused();
    bottle(&world, &tpm, &["attest", "keygen", "--rotate"]).ok();
    run(&world, &tpm, &[]).ok();
    world.verify_log().ok();
    let other = bottle(&world, &tpm, &["attest", "keygen", "--seal", "--pcrs", "7"]);
    assert!(other.code == 2 && other.err.contains("for other PCRs"), "{other:?}");
    bottle(&world, &tpm, &["attest", "keygen", "--seal", "--pcrs", "7,0"]).ok();
}

#[test]
fn without_the_tpm_that_sealed_it_a_key_is_worth_nothing() {
    let (world, tpm) = (World::new(), Swtpm::new());
    tpm_key(&world, &tpm);
    bottle(&world, &tpm, &["attest", "keygen", "--seal"]).ok();
    let refused = run(&world, &Swtpm::new(), &[]);
    assert!(refused.refused().contains("another one sealed it") && refused.err.contains("hint: "), "{refused:?}");
    let missing = world.path("no-tpm");
    let refused = said(&mut world.run(&["--tpm", text(&missing), "host", "--", "sh", "-c", "echo > ran"]));
    assert!(refused.refused().contains("cannot speak to the TPM") && refused.err.contains("hint: "), "{refused:?}");
    assert!(!world.project("ran").exists());
    // Who only verifies needs none.
    run(&world, &tpm, &[]).ok();
    drop(tpm);
    world.verify_log().ok();
    said(&mut world.bottle(&["attest", "verify", text(&world.attestation())])).ok();
}

#[test]
fn a_sealed_key_is_rotated_to_a_sealed_key_and_exports() {
    let (world, tpm) = (World::new(), Swtpm::new());
    tpm_key(&world, &tpm);
    bottle(&world, &tpm, &["attest", "keygen", "--seal"]).ok();
    run(&world, &tpm, &[]).ok();
    bottle(&world, &tpm, &["attest", "keygen", "--rotate"]).ok();
    let file = fs::read_to_string(world.path("state/data/keys/bottle.key")).unwrap();
    assert!(!file.contains("PRIVATE KEY"), "{file}");
    said(&mut world.bottle(&["attest", "verify", text(&world.attestation())])).ok();
    let export = world.path("export");
    let (audit, attestation) = (world.audit(), world.attestation());
    let put = ["audit", "export", text(&audit), "--attestation", text(&attestation), "-o", text(&export)];
    bottle(&world, &tpm, &put).ok();
    said(&mut world.bottle(&["audit", "verify", text(&export)])).ok();
    // Where a key lies in the open, another one that the TPM keeps is no protection for it.
    bottle(&world, &tpm, &["attest", "keygen", "--key", "open.key"]).ok();
    let refused = bottle(&world, &tpm, &["attest", "keygen", "--key", "open.key", "--seal"]);
    assert!(refused.code == 2 && refused.err.contains("no TPM keeps it"), "{refused:?}");
}

#[test]
fn a_quote_that_was_made_for_another_run_is_refused_by_name() {
    let (world, tpm) = (World::new(), Swtpm::new());
    let key = tpm_key(&world, &tpm);
    run(&world, &tpm, &[]).ok();
    let first = quote(&statement(&world));
    run(&world, &tpm, &[]).ok();
    let mut forged = statement(&world);
    assert_ne!(quote(&forged), first);
    forged.predicate.facts.get_mut("tpm.quote").unwrap().value = first;
    let forged = Statement::new(forged.subjects().unwrap(), forged.predicate).unwrap();
    let signer = fs::read_to_string(world.path("state/data/keys/bottle.key")).unwrap();
    let signer = SigningKey::from_pem(&signer).unwrap();
    let envelope = forged.sign(&signer).unwrap();
    assert!(envelope.verify(IN_TOTO, &[signer.public().clone()]).is_ok());
    let path = world.path("forged.json");
    fs::write(&path, envelope.to_bytes()).unwrap();
    let verify = |options: &[&str]| said(world.bottle(&["attest", "verify", text(&path)]).args(options));
    verify(&[]).ok();
    let refused = verify(&["--tpm-ak", &key]);
    assert!(refused.code == 34 && refused.err.contains("QuoteMismatch"), "{refused:?}");
}

#[test]
fn without_a_tpm_there_is_no_quote_and_who_demands_one_is_told() {
    let (world, tpm) = (World::new(), Swtpm::new());
    let key = tpm_key(&world, &tpm);
    let missing = world.path("no-tpm");
    let refused = said(&mut world.run(&["--tpm", text(&missing), "host", "--", "sh", "-c", "echo > ran"]));
    assert!(refused.refused().contains("the TPM does not quote") && refused.err.contains("hint: "), "{refused:?}");
    assert!(!world.project("ran").exists());
    world.shell("true").ok();
    assert!(!statement(&world).predicate.facts.contains_key("tpm.quote"));
    let refused = said(&mut world.bottle(&["attest", "verify", text(&world.attestation()), "--tpm-ak", &key]));
    assert!(
        refused.code == 30 && refused.err.contains("QuoteMissing") && refused.err.contains("hint: "),
        "{refused:?}"
    );
}

#[test]
fn doctor_says_what_came_of_asking_the_tpm() {
    let (world, tpm) = (World::new(), Swtpm::new());
    tpm_key(&world, &tpm);
    let line = |command: &mut Command| {
        let out = said(command).out;
        out.lines().find(|line| line.starts_with("TPM 2.0 ")).unwrap_or_else(|| panic!("{out}")).to_owned()
    };
    assert!(line(world.bottle(&["doctor"]).env("BOTTLE_TPM", tpm.socket())).contains(" yes "));
    let missing = world.path("no-tpm");
    assert!(line(world.bottle(&["doctor"]).env("BOTTLE_TPM", missing)).contains(" no "));
}
