//! How long do an entry, a seal and the verification of a long log take?

#[path = "../tests/recorded/mod.rs"]
mod recorded;

use bottle_evidence::audit::{Choice, Ended};
use bottle_evidence::verify::verify_log;
use divan::{Bencher, counter::ItemsCount};
use recorded::{Recorder, decision, key, keys, outcome, start};

fn main() {
    divan::main();
}

#[divan::bench]
fn append_a_decision_and_its_outcome(bencher: Bencher) {
    let mut recorder = Recorder::new();
    recorder.add(start("run-1"));
    let mut attempt = 0;
    bencher.counter(ItemsCount::new(2_usize)).bench_local(|| {
        attempt += 1;
        recorder.bytes.clear();
        recorder.add(decision(attempt, "api.example.com", Choice::Allow));
        recorder.add(outcome(attempt, Ended::Closed));
    });
}

#[divan::bench]
fn seal(bencher: Bencher) {
    let mut recorder = Recorder::new();
    recorder.add(start("run-1"));
    let entry = recorded::refused();
    bencher.bench_local(|| {
        recorder.bytes.clear();
        recorder.add(bottle_evidence::audit::Entry::Refused(entry.clone()));
        recorder.seal();
    });
}

#[divan::bench]
fn sign_only(bencher: Bencher) {
    let key = key();
    bencher.bench(|| key.sign(b"message"));
}

/// `batch` attempts share a seal.
#[divan::bench(args = [1, 8, 64], sample_count = 5)]
fn verify_100_000_entries(bencher: Bencher, batch: u64) {
    const ENTRIES: u64 = 100_000;
    let mut recorder = Recorder::new();
    recorder.add(start("run-1"));
    let mut attempt = 0;
    while recorder.chain.seq() < ENTRIES {
        for _ in 0..batch {
            attempt += 1;
            recorder.add(decision(attempt, &format!("h{}.example.com", attempt % 100), Choice::Allow));
            recorder.add(outcome(attempt, Ended::Closed));
        }
        recorder.seal();
    }
    recorder.end();
    recorder.seal();
    let keys = keys();
    bencher.counter(ItemsCount::new(ENTRIES)).bench(|| verify_log(&recorder.bytes[..], &keys, None).unwrap());
}
