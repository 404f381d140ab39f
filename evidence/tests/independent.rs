//! Does a verifier that somebody else wrote, from docs/attestation.md and docs/audit.md alone, say what ours says?
//!
//! It is in tests/independent, in Python. Whatever is judged here, both must give the same answer: the refusal's name and
//! exit code for an attestation, the line for a log.

mod changes;
mod forge;
mod recorded;
mod verdicts;

use std::collections::BTreeSet;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use bottle_evidence::audit::Workload;
use bottle_evidence::dsse::Envelope;
use bottle_evidence::key::SigningKey;
use bottle_evidence::predicate::{Basis, Fact, Mode, Predicate, Probe, REQUIRED_FACTS, REQUIRED_PROBES, Stage};
use bottle_evidence::statement::Statement;
use bottle_evidence::verify::{Expect, Living, Refusal};
use bottle_evidence::{Digest, Time, canonical, sha256};
use changes::{changes, with};
use forge::spelled::SPELLED;
use forge::{drawn, signed};
use recorded::{ISSUED, attest, attestation, key, predicate, subjects, time};
use serde_json::{Value, json};
use verdicts::Matrix;

fn now() -> Expect {
    Expect::at(time(1_800_000_060))
}

fn statement() -> Value {
    serde_json::to_value(Statement::new(subjects(), predicate()).unwrap()).unwrap()
}

fn signed_value(statement: &Value) -> Vec<u8> {
    signed(&canonical::to_bytes(statement).unwrap())
}

/// An attestation whose predicate was changed before it was signed.
fn changed(change: impl FnOnce(&mut Predicate)) -> Vec<u8> {
    let mut changed = predicate();
    change(&mut changed);
    attest(changed)
}

#[test]
fn both_refuse_an_attestation_by_the_same_name() {
    let mut matrix = Matrix::new();
    matrix.attestation("as expected", &attestation(), &all_demanded());
    envelopes(&mut matrix);
    statements(&mut matrix);
    predicates(&mut matrix);
    while_running(&mut matrix);
    demands(&mut matrix);
    places(&mut matrix);
    let said: BTreeSet<String> = matrix.agreed().into_iter().map(|(_, said)| said).collect();
    let names: Vec<&str> = said.iter().filter_map(|said| said.split_once(' ')).map(|(_, name)| name).collect();
    assert_eq!(names.len(), Refusal::OtherNamespace as usize - 9, "not each refusal was provoked: {names:?}");
}

/// Envelopes that are not as they should be, and signatures that are not good.
fn envelopes(matrix: &mut Matrix) {
    let good = attestation();
    for at in drawn(1).take(60).map(|drawn| drawn as usize) {
        let mut flipped = good.clone();
        flipped[at % good.len()] ^= 1 << (at / good.len() % 8);
        matrix.attestation(format!("byte {} flipped", at % good.len()), &flipped, &now());
        matrix.attestation(format!("cut at {}", at % good.len()), &good[..at % good.len()], &now());
    }
    for (what, bytes) in
        [("empty", &b""[..]), ("null", b"null"), ("array", b"[]"), ("not UTF-8", b"\xff"), ("deep", &[b'['; 9999])]
    {
        matrix.attestation(what, bytes, &now());
    }
    matrix.attestation("a line feed", &[&good[..], b"\n"].concat(), &now());
    let value: Value = serde_json::from_slice(&good).unwrap();
    for other in changes(&value) {
        matrix.attestation(format!("envelope {other:.60}"), &canonical::to_bytes(&other).unwrap(), &now());
    }
    for (what, envelope) in signatures() {
        matrix.attestation(what, &envelope.to_bytes(), &now());
    }
}

fn signatures() -> Vec<(&'static str, Envelope)> {
    let good = Envelope::from_bytes(&attestation()).unwrap();
    let with = |change: &dyn Fn(&mut Envelope)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed
    };
    let stranger = SigningKey::from_seed([8; 32]);
    let foreign = Statement::new(subjects(), predicate()).unwrap().sign(&stranger).unwrap().signatures[0].clone();
    let wrong = Base64::encode_string(&[1; 64]);
    vec![
        ("no signature", with(&|e| e.signatures.clear())),
        ("another payload type", with(&|e| e.payload_type.push('2'))),
        ("signed twice", with(&|e| e.signatures.push(e.signatures[0].clone()))),
        ("a stranger's", with(&|e| e.signatures[0] = foreign.clone())),
        ("a stranger's too", with(&|e| e.signatures.push(foreign.clone()))),
        (
            "a stranger's, which is no base64",
            with(&|e| (e.signatures[0].keyid, e.signatures[0].sig) = (Digest::ZERO, "?".into())),
        ),
        ("wrong", with(&|e| e.signatures[0].sig = wrong.clone())),
        (
            "wrong, and a stranger's",
            with(&|e| (e.signatures[0].sig, _) = (wrong.clone(), e.signatures.push(foreign.clone()))),
        ),
        ("of R of small order", with(&|e| e.signatures[0].sig = Base64::encode_string(&[&[1][..], &[0; 63]].concat()))),
        ("63 bytes", with(&|e| e.signatures[0].sig = Base64::encode_string(&[0; 63]))),
        ("padding", with(&|e| e.payload.push('='))),
        ("bits left over", with(&|e| e.payload = "QR==".into())),
        ("a line feed in it", with(&|e| e.payload.insert(4, '\n'))),
        ("no base64 and no key", with(&|e| (e.payload, _) = ("?".into(), e.signatures.clear()))),
    ]
}

/// Rightly signed payloads that are no statement of ours, or not in canonical form.
fn statements(matrix: &mut Matrix) {
    let statement = statement();
    for (name, other) in
        [("_type", json!("x")), ("predicateType", json!("x")), ("subject", json!([])), ("subject", json!([{}]))]
    {
        matrix.attestation(name, &signed_value(&with(&statement, name, other)), &now());
    }
    let mut turned = statement.clone();
    turned["subject"].as_array_mut().unwrap().reverse();
    matrix.attestation("subjects in another order", &signed_value(&turned), &now());
    let mut value = statement;
    value["predicate"]["facts"]["host.kernel"]["value"] = "@@".into();
    let text = String::from_utf8(canonical::to_bytes(&value).unwrap()).unwrap();
    for spelled in SPELLED.iter().map(ToString::to_string).chain([nested(123), nested(124)]) {
        matrix.attestation(&spelled, &signed(text.replace("\"@@\"", &spelled).as_bytes()), &now());
    }
}

fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

/// Predicates that lack something, say something else, or have something more.
fn predicates(matrix: &mut Matrix) {
    let predicate = statement()["predicate"].take();
    let all = changes(&predicate);
    for changed in all.iter().enumerate().filter(|(at, _)| at % 29 == 0).map(|(_, changed)| changed) {
        let what = format!("predicate {} bytes long", changed.to_string().len());
        matrix.attestation(what, &signed_value(&with(&statement(), "predicate", changed.clone())), &now());
    }
    for required in REQUIRED_FACTS {
        let name = required.name;
        matrix.attestation(format!("no {name}"), &changed(|p| drop(p.facts.remove(name))), &now());
        let asserted = changed(|p| p.facts.get_mut(name).unwrap().basis = Basis::Asserted);
        matrix.attestation(format!("{name} asserted"), &asserted, &now());
    }
    for name in REQUIRED_PROBES.iter().map(|required| required.name) {
        let missing = changed(|p| p.probes.retain(|probe| probe.name.as_str() != name || probe.confined));
        matrix.attestation(format!("no {name}"), &missing, &now());
        let twice =
            changed(|p| p.probes.extend(p.probes.clone().into_iter().find(|probe| probe.name.as_str() == name)));
        matrix.attestation(format!("{name} twice"), &twice, &now());
        let other = changed(|p| {
            p.probes
                .iter_mut()
                .filter(|probe| probe.name.as_str() == name)
                .for_each(|probe| *probe = Probe::new(name, probe.confined, "x", "x"));
        });
        matrix.attestation(format!("{name} expects something else"), &other, &now());
    }
    matrix.attestation(
        "a further fact",
        &changed(|p| drop(p.facts.insert("\n".into(), Fact::asserted("", Value::Null)))),
        &now(),
    );
    for (what, observed) in [("a further probe", "x"), ("a further probe that did not hold", "y")] {
        matrix.attestation(what, &changed(|p| p.probes.push(Probe::new("sctp", true, "x", observed))), &now());
    }
    matrix.attestation("held false", &changed(|p| p.probes[0].held = false), &now());
    matrix.attestation("never valid", &changed(|p| p.expires = p.issued), &now());
}

/// Statements about a bottle that runs.
fn while_running(matrix: &mut Matrix) {
    let attest_with = |change: &dyn Fn(&mut Predicate)| {
        let mut changed = recorded::predicate_while_running();
        change(&mut changed);
        attest(changed)
    };
    matrix.attestation("while it runs", &attest_with(&|_| ()), &now());
    matrix.attestation("a start without what it tried", &attest_with(&|p| p.stage = Stage::Start), &now());
    matrix.attestation("while it runs, with all that a start tries", &changed(|p| p.stage = Stage::Running), &now());
    matrix.attestation("while it runs, and nothing tried", &attest_with(&|p| p.probes.clear()), &now());
    matrix.attestation("while it runs, tried twice", &attest_with(&|p| p.probes.extend(p.probes.clone())), &now());
    matrix.attestation("while it runs, tried confined", &attest_with(&|p| p.probes[0].confined = true), &now());
    let other = |name: &str, confined| Probe::new(name, confined, "x", "x");
    matrix.attestation(
        "and confined too, with any expectation",
        &attest_with(&|p| p.probes.push(other("gate-challenge", true))),
        &now(),
    );
    matrix.attestation(
        "and another, with any expectation",
        &attest_with(&|p| p.probes.push(other("tcp-v4", false))),
        &now(),
    );
    matrix.attestation(
        "while it runs, expecting something else",
        &attest_with(&|p| p.probes[0] = other("gate-challenge", false)),
        &now(),
    );
    for required in REQUIRED_FACTS {
        let name = required.name;
        matrix.attestation(format!("while it runs, no {name}"), &attest_with(&|p| drop(p.facts.remove(name))), &now());
    }
}

fn all_demanded() -> Expect {
    let (policy, image, binary) = (Some(subjects().policy), Some(subjects().image), Some(subjects().binary));
    let (max_age, nonce, mode) = (Some(Duration::from_secs(60)), Some(recorded::nonce()), Some(Mode::Enforce));
    Expect { max_age, nonce, mode, policy, image, binary, ..now() }
}

/// What a good one is judged to be where something else is demanded: also where two demands are not met, which tells the order.
fn demands(matrix: &mut Matrix) {
    let (good, observing) = (attestation(), changed(|p| p.mode = Mode::Observe));
    let (expires, other) = (predicate().expires, Some(sha256(b"another")));
    for now in [ISSUED, Time::from_micros(ISSUED.micros() - 1), expires, Time::from_micros(expires.micros() - 1)] {
        matrix.attestation(format!("at {now}"), &good, &Expect::at(now));
        matrix.attestation(
            format!("at {now}, and no older"),
            &good,
            &Expect { max_age: Some(Duration::from_secs(3599)), ..Expect::at(now) },
        );
    }
    let late = Time::from_micros(now().now.micros() + 1);
    let wrong: [fn(&mut Expect, Option<Digest>); 5] = [
        |e, _| e.mode = Some(Mode::Observe),
        |e, other| e.nonce = other,
        |e, other| e.policy = other,
        |e, other| e.image = other,
        |e, other| e.binary = other,
    ];
    for (one, another) in (0..wrong.len()).flat_map(|one| (0..wrong.len()).map(move |another| (one, another))) {
        let mut expect = all_demanded();
        wrong[one](&mut expect, other);
        wrong[another](&mut expect, other);
        for (what, envelope) in [("enforcing", &good), ("observing", &observing)] {
            matrix.attestation(format!("{what}, {one} and {another} not met"), envelope, &expect);
            matrix.attestation(format!("{what}, and too late"), envelope, &Expect { now: late, ..expect });
        }
    }
}

/// What one is judged to be where it must be of a boot and of a bottle.
fn places(matrix: &mut Matrix) {
    const BOOT: &str = "85e7568d-b530-48b6-a1f9-8212cc135334";
    let boot = Some(BOOT.parse().unwrap());
    let living = |workload, network| Some(Living { workload, network });
    let other = Workload { pid: 1, ..recorded::workload() };
    let expected = [
        ("a boot", Expect { boot, ..now() }),
        ("a bottle", Expect { living: living(recorded::workload(), 7), ..now() }),
        ("both", Expect { boot, living: living(recorded::workload(), 7), ..now() }),
        ("another process", Expect { living: living(other, 7), ..now() }),
        ("another namespace", Expect { living: living(recorded::workload(), 8), ..now() }),
    ];
    let boots = [json!(BOOT), json!(BOOT.to_uppercase()), json!(7), json!({})];
    let namespaces = [json!({ "inode": 7 }), json!({ "inode": true }), json!({ "inode": "7" }), json!([7]), json!({})];
    let identities =
        [json!({ "pid": 4242, "start": 987_654 }), json!({ "pid": 4242, "start": 987_654, "x": 1 }), json!(1)];
    let facts = |boot: &Value, namespace: &Value, identity: &Value| {
        changed(|p| {
            for (name, value) in
                [("host.boot-id", boot), ("agent.namespace", namespace), ("workload.identity", identity)]
            {
                p.facts.get_mut(name).unwrap().value = value.clone();
            }
        })
    };
    for (what, expect) in &expected {
        for boot in &boots {
            matrix.attestation(
                format!("{what}, of the boot {boot}"),
                &facts(boot, &namespaces[0], &identities[0]),
                expect,
            );
        }
        for namespace in &namespaces {
            matrix.attestation(format!("{what}, of {namespace}"), &facts(&boots[0], namespace, &identities[0]), expect);
        }
        for identity in &identities {
            matrix.attestation(format!("{what}, of {identity}"), &facts(&boots[0], &namespaces[0], identity), expect);
        }
    }
}

#[test]
fn both_refuse_what_a_key_signed_after_its_retirement() {
    let at = |micros: u64| Time::from_micros(ISSUED.micros() + micros);
    let key = key().public().clone();
    for (what, keys, expected) in [
        ("at that moment", vec![key.clone().retired_at(at(0))], "ok"),
        ("before", vec![key.clone().retired_at(Time::from_micros(ISSUED.micros() - 1))], "11 WrongKey"),
        ("later", vec![key.clone().retired_at(at(1))], "ok"),
        ("given again as retired", vec![key.clone(), key.retired_at(time(1))], "11 WrongKey"),
    ] {
        let mut matrix = Matrix::with_keys(keys);
        matrix.attestation(what, &attestation(), &now());
        matrix.attestation("of no type", &signed_value(&with(&statement(), "_type", json!("x"))), &now());
        matrix.attestation("of another type", &signed_value(&with(&statement(), "predicateType", json!("x"))), &now());
        matrix.attestation("expired", &attestation(), &Expect::at(predicate().expires));
        assert_eq!(matrix.agreed()[0].1, expected, "{what}");
    }
}

#[test]
fn both_read_the_same_keys() {
    let mut matrix = Matrix::new();
    let pem = key().public().to_pem();
    for (what, text) in [
        ("as written", pem.clone()),
        ("without its last line feed", pem.trim_end().into()),
        ("with CRLF", pem.replace('\n', "\r\n")),
        ("with CR", pem.replace('\n', "\r")),
        ("after a text", format!("a key:\n{pem}")),
        ("after a text in its line", format!("a key: {pem}")),
        ("after a text with a NUL", format!("\0\n{pem}")),
        ("before a text", format!("{pem}\n")),
        ("twice", format!("{pem}{pem}")),
        ("with an empty line", pem.replacen('\n', "\n\n", 1)),
        ("in two lines", pem.replacen("MCow", "MCow\n", 1)),
        ("with a space", pem.replacen("MCow", "MCow ", 1)),
        ("of another kind", pem.replace("PUBLIC", "PRIVATE")),
        ("private", key().to_pem()),
        ("retired", key().public().clone().retired_at(ISSUED).to_pem()),
        ("retired, after a text", format!("of a host\n{}", key().public().clone().retired_at(ISSUED).to_pem())),
        ("retired twice", format!("Retired: {ISSUED}\n{}", key().public().clone().retired_at(ISSUED).to_pem())),
        ("retired, and no time", format!("Retired: \n{pem}")),
        ("retired, and no space", format!("Retired:{ISSUED}\n{pem}")),
        ("retired, with CRLF", format!("Retired: {ISSUED}\r\n{pem}")),
        ("retired, in a text", format!("x Retired:\n{pem}")),
        ("empty", String::new()),
    ] {
        matrix.key(what, text.as_bytes());
    }
    let beyond = (0..19).map(|more| [&[0xed + more][..], &[0xff; 30], &[0x7f]].concat());
    let small = (0..8).map(|first| [&[first][..], &[0; 31]].concat());
    let signed = |point: Vec<u8>| [point.clone(), [&point[..31], &[point[31] | 0x80]].concat()];
    for point in beyond.chain(small).flat_map(signed) {
        let spki = [&[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0][..], &point].concat();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", Base64::encode_string(&spki));
        matrix.key(format!("{point:?}"), pem.as_bytes());
    }
    assert!(matrix.agreed().iter().any(|(_, said)| said == "unusable"));
}
