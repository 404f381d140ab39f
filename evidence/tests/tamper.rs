//! Does the verifier notice whatever is done to a log, and say where?

mod recorded;

use bottle_evidence::audit::LogProblem;
use bottle_evidence::verify::{Head, LogError, examine_log, verify_log};
use bottle_evidence::{Digest, canonical, sha256};
use recorded::{Recorder, keys, lines, log, two_runs};
use serde_json::{Value, json};

/// What the verifier says of a log that is not as it was.
fn refusal(log: &[u8]) -> LogError {
    verify_log(log, &keys(), None).expect_err("a log that was changed passed")
}

fn joined(lines: &[Vec<u8>]) -> Vec<u8> {
    lines.concat()
}

#[test]
fn an_untouched_log_passes() {
    assert_eq!(verify_log(&log()[..], &keys(), None).unwrap().runs.len(), 1);
    assert_eq!(verify_log(&two_runs()[..], &keys(), None).unwrap().runs.len(), 2);
}

#[test]
fn every_edited_byte_is_found_at_its_line_or_the_next() {
    let log = log();
    let mut line = 1;
    for at in 0..log.len() {
        for flip in [0x01, 0x20, 0x80] {
            let mut edited = log.clone();
            edited[at] ^= flip;
            let found = refusal(&edited).line;
            assert!(found == line || found == line + 1, "byte {at} of line {line}: found at {found}");
        }
        line += u64::from(log[at] == b'\n');
    }
}

#[test]
fn every_byte_that_is_deleted_or_inserted_is_found() {
    let log = log();
    let mut line = 1;
    for at in 0..log.len() {
        let mut shorter = log.clone();
        shorter.remove(at);
        let mut longer = log.clone();
        longer.insert(at, b' ');
        for found in [refusal(&shorter).line, refusal(&longer).line] {
            assert!(found == line || found == line + 1, "byte {at} of line {line}: found at {found}");
        }
        line += u64::from(log[at] == b'\n');
    }
}

#[test]
fn every_deleted_line_is_found_where_it_was() {
    let whole = lines(&two_runs());
    for at in 0..whole.len() - 1 {
        let mut fewer = whole.clone();
        fewer.remove(at);
        let error = refusal(&joined(&fewer));
        let here = at as u64 + 1;
        assert_eq!((error.line, error.seq), (here, Some(here + 1)));
        assert_eq!(error.what, LogProblem::Sequence(here));
    }
}

#[test]
fn every_duplicated_line_is_found_where_it_is() {
    let whole = lines(&two_runs());
    for at in 0..whole.len() {
        let mut more = whole.clone();
        more.insert(at, whole[at].clone());
        let error = refusal(&joined(&more));
        assert_eq!((error.line, error.seq), (at as u64 + 2, Some(at as u64 + 1)));
        assert_eq!(error.what, LogProblem::Sequence(at as u64 + 2));
    }
}

#[test]
fn every_swapped_pair_of_lines_is_found_where_it_is() {
    let whole = lines(&two_runs());
    for at in 0..whole.len() - 1 {
        let mut swapped = whole.clone();
        swapped.swap(at, at + 1);
        let error = refusal(&joined(&swapped));
        assert_eq!((error.line, error.seq), (at as u64 + 1, Some(at as u64 + 2)));
    }
}

#[test]
fn a_log_cut_at_any_byte_is_not_whole() {
    let log = log();
    for length in 0..log.len() {
        let error = refusal(&log[..length]);
        let complete = log[..length].iter().filter(|byte| **byte == b'\n').count() as u64;
        match error.what {
            LogProblem::Empty => assert_eq!((length, error.line), (0, 1)),
            LogProblem::Torn => assert_eq!(error.line, complete + 1),
            LogProblem::Incomplete(run) => assert_eq!((run.as_str(), error.line), ("run-1", 1)),
            LogProblem::Unsealed => assert_eq!((error.line, complete), (6, 15)),
            other => panic!("cut at {length}: {other}"),
        }
    }
}

#[test]
fn a_second_run_that_was_cut_off_is_seen_by_whoever_saw_the_head() {
    let whole = two_runs();
    let head = verify_log(&whole[..], &keys(), None).unwrap().head;
    verify_log(&whole[..], &keys(), Some(head)).unwrap();
    let first = log();
    assert!(whole.starts_with(&first), "the first run of both logs is the same");
    verify_log(&first[..], &keys(), None).unwrap();
    let error = verify_log(&first[..], &keys(), Some(head)).unwrap_err();
    assert_eq!(error.what, LogProblem::HeadMissing(head.seq));
}

#[test]
fn another_log_in_place_of_the_one_seen_is_found() {
    let head = verify_log(&log()[..], &keys(), None).unwrap().head;
    let mut other = Recorder::new();
    other.run("run-9");
    let error = verify_log(&other.bytes[..], &keys(), Some(head)).unwrap_err();
    assert_eq!((error.line, error.what), (head.seq, LogProblem::HeadMissing(head.seq)));
    let nowhere = Head { seq: 0, hash: head.hash };
    assert!(verify_log(&log()[..], &keys(), Some(nowhere)).is_err());
}

#[test]
fn sealed_segments_can_not_change_places() {
    let whole = lines(&two_runs());
    let (first, second) = whole.split_at(whole.len() / 2);
    let error = refusal(&[joined(second), joined(first)].concat());
    assert_eq!((error.line, error.what), (1, LogProblem::Sequence(1)));
}

#[test]
fn a_segment_of_another_log_does_not_fit() {
    let mut other = Recorder::new();
    other.run("run-0");
    let (ours, theirs) = (lines(&log()), lines(&other.bytes));
    for cut in 1..ours.len() {
        let mixed = [&theirs[..cut], &ours[cut..]].concat();
        let error = refusal(&joined(&mixed));
        assert_eq!((error.line, error.what), (cut as u64 + 1, LogProblem::Broken));
    }
}

#[test]
fn a_log_that_another_key_sealed_is_refused() {
    let stranger = bottle_evidence::key::SigningKey::from_seed([8; 32]);
    let error = verify_log(&log()[..], &[stranger.public().clone()], None).unwrap_err();
    assert_eq!((error.line, error.seq), (2, Some(2)));
    assert_eq!(error.what, LogProblem::UnknownKey(recorded::key().public().id()));
    assert!(verify_log(&log()[..], &[], None).is_err());
}

fn value(line: &[u8]) -> Value {
    serde_json::from_slice(line).unwrap()
}

/// These lines as one log: whoever has changed some of them can make all of it fit but the signatures.
fn chained_again(lines: &[Vec<u8>]) -> Vec<u8> {
    let (mut log, mut prev, mut start) = (Vec::new(), Digest::ZERO, 0);
    for (line, seq) in lines.iter().zip(1_u64..) {
        let mut line = value(line);
        (line["seq"], line["prev"]) = (json!(seq), json!(prev));
        match line["kind"].as_str().unwrap() {
            "run.start" => start = seq,
            "run.end" => (line["head"], line["count"]) = (json!(prev), json!(seq - start)),
            _ => (),
        }
        let bytes = canonical::to_bytes(&line).unwrap();
        prev = sha256(&bytes);
        log.extend(bytes);
        log.push(b'\n');
    }
    log
}

/// The same line, said to be of a moment later.
fn later(line: &[u8]) -> Vec<u8> {
    let mut line = value(line);
    let micros = line["time"].as_str().unwrap().parse::<bottle_evidence::Time>().unwrap().micros() + 1;
    line["time"] = json!(bottle_evidence::Time::from_micros(micros));
    canonical::to_bytes(&line).unwrap()
}

/// Without the key, a chain that fits again is found by the next seal, if nothing before that does not fit.
#[test]
fn a_line_that_is_edited_inserted_deleted_or_moved_is_found_though_all_is_chained_again() {
    let whole = lines(&two_runs());
    assert_eq!(chained_again(&whole), two_runs());
    let inserted = whole.iter().find(|line| value(line)["kind"] == "dns.denied").unwrap();
    for at in 0..whole.len() {
        let with = |replaced: usize, by: &[Vec<u8>]| {
            let mut lines = whole.clone();
            lines.splice(at..at + replaced, by.iter().cloned());
            chained_again(&lines)
        };
        let seal = |lines: &[u8]| {
            let after = self::lines(lines).into_iter().zip(1_u64..).skip(at);
            after.into_iter().find(|(line, _)| value(line)["kind"] == "seal").map(|(_, number)| number)
        };
        let edited = with(1, &[later(&whole[at])]);
        let error = refusal(&edited);
        assert_eq!((Some(error.line), &error.what), (seal(&edited), &LogProblem::BadSeal), "line {} edited", at + 1);
        let swapped: Vec<_> = whole[at..].iter().take(2).rev().cloned().collect();
        let mut others = vec![("inserted", with(0, std::slice::from_ref(inserted))), ("deleted", with(1, &[]))];
        if swapped.len() == 2 {
            others.push(("moved", with(2, &swapped)));
        }
        for (what, other) in others {
            let error = refusal(&other);
            let here = seal(&other).is_none_or(|seal| (at as u64 + 1..=seal).contains(&error.line));
            assert!(here, "line {} {what}: line {}: {error}", at + 1, error.line);
        }
    }
}

#[test]
fn a_line_without_end_is_refused_before_it_fills_the_memory() {
    let endless = std::io::BufReader::new(std::io::repeat(b'x'));
    let error = examine_log(endless, &keys(), None).unwrap_err();
    assert_eq!((error.line, error.what), (1, LogProblem::TooLong));
}

#[test]
fn a_reader_that_fails_is_no_end_of_the_log() {
    use std::io::Read;
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("disk on fire"))
        }
    }
    let log = log();
    let reader = std::io::BufReader::new(log.chain(Failing));
    let error = examine_log(reader, &keys(), None).unwrap_err();
    assert_eq!(error.what, LogProblem::Unreadable("disk on fire".into()));
}
