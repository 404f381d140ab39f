//! Does a verifier that somebody else wrote, from docs/attestation.md and docs/audit.md alone, judge evidence as ours does that nobody
//! thought of?
//!
//! A few cases at random, the same for the same `BOTTLE_RANDOM_SEED`; as many as `BOTTLE_RANDOM_CASES` says in the long form:
//! `BOTTLE_RANDOM_CASES=2000 cargo test -p bottle-evidence --test independent_random`.

mod changes;
mod forge;
mod random;
mod recorded;
mod verdicts;

use std::time::Duration;

use bottle_evidence::dsse::{self, Envelope};
use bottle_evidence::incident::{INCIDENT, Incident, lines_of};
use bottle_evidence::predicate::Mode;
use bottle_evidence::statement::Statement;
use bottle_evidence::verify::{Expect, Head};
use bottle_evidence::{Digest, canonical, sha256};
use random::{Random, cases, damage, logs};
use recorded::{attestation, key, lines, predicate, renewed_attestation, split, subjects, time};
use serde_json::Value;
use verdicts::Matrix;

/// How often what was said, so that a search that finds nothing else than one answer is seen.
fn assert_varied(said: &[(String, String)], at_least: usize) {
    let answers: std::collections::BTreeSet<&str> = said.iter().map(|(_, said)| said.as_str()).collect();
    let good = said.iter().filter(|(_, said)| said == "ok").count();
    println!("{} cases, {good} of them good, {} answers", said.len(), answers.len());
    assert!(good > 0 && answers.len() >= at_least, "{answers:?}");
}

#[test]
fn both_judge_a_log_alike_whatever_was_done_to_it() {
    let mut matrix = Matrix::new();
    for case in 0..cases(60) {
        let random = &mut Random::of(case);
        let (whole, other) = (logs::log(random), logs::log(random));
        let bytes = if random.once_in(8) { whole } else { damage::log(random, &whole, &other) };
        let files = split(&bytes);
        let what = format!("log {case}");
        match random.below(4) {
            _ if files.len() > 1 && !random.once_in(4) => {
                matrix.files(what, &files.into_iter().map(Some).collect::<Vec<_>>());
            }
            0 => matrix.log(what, &bytes, Some(head(random, &bytes))),
            1 => matrix.bound(what, &bytes, if random.once_in(2) { &ATTESTED.0 } else { &ATTESTED.1 }),
            _ => matrix.log(what, &bytes, None),
        }
    }
    assert_varied(&matrix.agreed(), 10);
}

/// The attestation of the first run, and the one that it was given while it ran.
static ATTESTED: std::sync::LazyLock<(Vec<u8>, Vec<u8>)> =
    std::sync::LazyLock::new(|| (attestation(), renewed_attestation()));

/// One that somebody may have seen, perhaps of another log.
fn head(random: &mut Random, log: &[u8]) -> Head {
    let lines = lines(log);
    let at = random.below(lines.len() + 2);
    let hash = lines.get(at).map_or(Digest::ZERO, |line| sha256(line.trim_ascii_end()));
    Head { seq: at as u64 + u64::from(!random.once_in(4)), hash }
}

#[test]
fn both_judge_a_statement_alike_whatever_is_in_it() {
    let mut matrix = Matrix::new();
    let running = recorded::predicate_while_running();
    let whole = [predicate(), running]
        .map(|predicate| serde_json::to_value(Statement::new(subjects(), predicate).unwrap()).unwrap());
    for case in 0..cases(60) {
        let random = &mut Random::of(case);
        let mut statement = random.pick(&whole).clone();
        (0..random.below(3)).for_each(|_| damage::value(random, &mut statement));
        let Ok(payload) = canonical::to_bytes(&statement) else { continue };
        let payload = if random.once_in(4) { damage::bytes(random, payload) } else { payload };
        let envelope = enveloped(random, dsse::IN_TOTO, &payload);
        matrix.attestation(format!("statement {case}"), &envelope, &expected(random));
    }
    assert_varied(&matrix.agreed(), 4);
}

/// In an envelope that is mostly in order.
fn enveloped(random: &mut Random, kind: &str, payload: &[u8]) -> Vec<u8> {
    let good = dsse::sign(&key(), kind, payload).to_bytes();
    match random.below(12) {
        0 => damage::bytes(random, good),
        1 => {
            let mut envelope = serde_json::from_slice(&good).unwrap();
            damage::value(random, &mut envelope);
            canonical::to_bytes(&envelope).unwrap_or(good)
        }
        _ => good,
    }
}

fn expected(random: &mut Random) -> Expect {
    let digest =
        |random: &mut Random, right| random.once_in(4).then(|| if random.once_in(4) { Digest::ZERO } else { right });
    let moments = [1_800_000_060, 1_800_000_000, 1_800_003_599, 1_800_003_600, 1_799_999_999];
    let now = if random.once_in(4) { *random.pick(&moments) } else { moments[0] };
    Expect {
        max_age: random.once_in(4).then(|| Duration::from_secs(*random.pick(&[59, 60, 3600]))),
        mode: random.once_in(4).then(|| *random.pick(&[Mode::Enforce, Mode::Observe])),
        nonce: digest(random, recorded::nonce()),
        policy: digest(random, subjects().policy),
        image: digest(random, subjects().image),
        binary: digest(random, subjects().binary),
        ..Expect::at(time(now))
    }
}

#[test]
fn both_judge_an_export_alike_whatever_is_in_it() {
    let mut matrix = Matrix::new();
    for case in 0..cases(60) {
        let random = &mut Random::of(case);
        let mut export = exported(random);
        (0..random.below(2)).for_each(|_| damage::value(random, &mut export));
        let Ok(payload) = canonical::to_bytes(&export) else { continue };
        let payload = if random.once_in(8) { damage::bytes(random, payload) } else { payload };
        matrix.export(format!("export {case}"), &enveloped(random, INCIDENT, &payload));
    }
    assert_varied(&matrix.agreed(), 3);
}

/// An export of a run, whose lines somebody else may have written.
fn exported(random: &mut Random) -> Value {
    let (log, other) = (logs::of_one(random), logs::log(random));
    let envelope = |bytes: &[u8]| Envelope::from_bytes(bytes).unwrap();
    let is_renewed = log.windows(11).any(|bytes| bytes == b"\"run.renew\"");
    let whole = Incident {
        exported: time(1_800_000_100),
        attestation: envelope(&ATTESTED.0),
        renewed: (is_renewed || random.once_in(8)).then(|| envelope(&ATTESTED.1)),
        policy: "policy".into(),
        log: lines_of(&log[..], None).unwrap(),
    };
    let mut export = serde_json::to_value(whole).unwrap();
    if random.once_in(2) {
        let forged = damage::log(random, &log, &other);
        export["log"] = String::from_utf8_lossy(&forged).lines().collect();
    }
    export
}
