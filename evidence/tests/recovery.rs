//! Is a log taken up again after any crash, without losing or inventing a line?

mod recorded;

use bottle_evidence::audit::{AppendError, Chain, Entry, LogProblem, OrderError, Recovered, recover};
use bottle_evidence::sha256;
use bottle_evidence::verify::{Completeness, examine_log, verify_log};
use recorded::{Recorder, key, keys, lines, log, start, time};

/// Cuts the log as recovery says and goes on with another run.
fn go_on(log: &[u8], recovered: Recovered) -> Vec<u8> {
    let kept = log[..recovered.keep as usize].to_vec();
    let mut recorder = Recorder::resume(recovered.chain, kept);
    if let Some(mark) = recovered.mark {
        recorder.add(mark);
        recorder.seal();
    }
    recorder.run("run-after");
    recorder.bytes
}

/// The bytes of the lines that are whole, and of the one that is not.
fn split(cut: &[u8]) -> (&[u8], &[u8]) {
    cut.split_at(cut.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1))
}

#[test]
fn a_log_cut_at_any_byte_keeps_its_whole_lines() {
    let log = log();
    for length in 0..=log.len() {
        let (whole, torn) = split(&log[..length]);
        let recovered = recover(&log[..length], &keys()).unwrap();
        assert_eq!((recovered.keep, recovered.torn), (whole.len() as u64, torn.len() as u64));
        let ended_well = length == 0 || length == log.len();
        match recovered.mark {
            None => assert!(ended_well, "cut at {length}"),
            Some(Entry::Torn(mark)) => {
                assert_eq!((mark.bytes, mark.sha256), (torn.len() as u64, sha256(torn)));
            }
            Some(other) => panic!("marked by {other:?}"),
        }
    }
}

#[test]
fn zeros_where_a_line_should_be_are_cut_like_the_beginning_of_one() {
    let log = log();
    for length in (0..=log.len()).step_by(7) {
        let zeros = [&log[..length], &[0; 5000]].concat();
        let (whole, torn) = split(&zeros);
        let recovered = recover(&zeros, &keys()).unwrap();
        assert_eq!((recovered.keep, recovered.torn), (whole.len() as u64, torn.len() as u64));
        let report = examine_log(&go_on(&zeros, recovered)[..], &keys(), None).unwrap();
        assert_eq!(report.tears[0].torn.bytes, torn.len() as u64);
    }
}

#[test]
fn a_log_cut_in_any_line_is_continued_and_the_tear_is_visible() {
    let log = log();
    let line_ends = (0..log.len()).filter(|at| log[*at] == b'\n');
    let cuts = line_ends.flat_map(|end| [end - 20, end, end + 1]).filter(|length| *length < log.len());
    for length in cuts {
        let cut = &log[..length];
        let continued = go_on(cut, recover(cut, &keys()).unwrap());
        let report = examine_log(&continued[..], &keys(), None).unwrap();
        assert_eq!((report.unsealed, report.tears.len()), (None, 1));
        let began = report.runs.len() == 2;
        assert_eq!(report.whole().is_err(), began, "cut at {length}");
        assert_eq!(report.tears[0].torn.bytes, split(cut).1.len() as u64);
        let after = report.runs.last().unwrap();
        assert_eq!(after.start.run.as_str(), "run-after");
        assert!(matches!(after.completeness, Completeness::Complete { .. }));
    }
}

#[test]
fn the_run_whose_writer_died_stays_incomplete_for_ever() {
    let log = log();
    let cut = &log[..log.len() / 2];
    let continued = go_on(cut, recover(cut, &keys()).unwrap());
    let error = verify_log(&continued[..], &keys(), None).unwrap_err();
    assert_eq!((error.line, error.what), (1, LogProblem::Incomplete("run-1".into())));
}

#[test]
fn an_end_that_no_seal_had_signed_when_the_writer_died_proves_nothing() {
    let log = log();
    let ended = lines(&log)[..15].concat();
    assert!(String::from_utf8_lossy(&ended).contains("run.end"));
    let continued = go_on(&ended, recover(&ended, &keys()).unwrap());
    let error = verify_log(&continued[..], &keys(), None).unwrap_err();
    assert_eq!(error.what, LogProblem::Incomplete("run-1".into()));
}

#[test]
fn a_run_that_was_sealed_stays_complete_though_a_later_line_is_torn() {
    let torn = [log(), b"{\"addr".to_vec()].concat();
    let continued = go_on(&torn, recover(&torn, &keys()).unwrap());
    let report = verify_log(&continued[..], &keys(), None).unwrap();
    assert_eq!((report.runs.len(), report.tears[0].torn.bytes), (2, 6));
}

#[test]
fn a_whole_log_is_continued_as_if_nothing_had_been() {
    let log = log();
    let recovered = recover(&log, &keys()).unwrap();
    assert_eq!((recovered.keep, recovered.torn, recovered.unfinished), (log.len() as u64, 0, false));
    let mut never_stopped = Recorder::new();
    never_stopped.run("run-1");
    assert_eq!(recovered.chain.head(), never_stopped.chain.head());
    assert_eq!(recovered.chain.seq(), never_stopped.chain.seq());
    let report = verify_log(&go_on(&log, recovered)[..], &keys(), None).unwrap();
    assert_eq!(report.runs.len(), 2);
}

#[test]
fn no_run_starts_after_an_unfinished_one_before_the_tear_is_marked() {
    let log = log();
    let second = lines(&log)[..2].concat();
    let mut recovered = recover(&second, &keys()).unwrap();
    assert!(recovered.unfinished);
    match recovered.chain.append(time(0), &start("run-2")) {
        Err(AppendError::Order(why)) => assert_eq!(why, OrderError::RunInsideRun),
        other => panic!("the chain said {other:?}"),
    }
}

#[test]
fn lines_that_no_seal_signed_for_are_kept_and_counted() {
    let cut = lines(&log())[..4].concat();
    let recovered = recover(&cut, &keys()).unwrap();
    let Some(Entry::Torn(torn)) = recovered.mark else { panic!("no mark") };
    assert_eq!((torn.bytes, torn.unsealed, recovered.keep), (0, 2, cut.len() as u64));
}

#[test]
fn a_log_that_was_changed_is_not_continued() {
    let log = log();
    let mut lines = lines(&log);
    let text = String::from_utf8(lines[3].clone()).unwrap();
    lines[3] = text.replace("\"deny\"", "\"allow\"").into_bytes();
    let error = recover(&lines.concat(), &keys()).unwrap_err();
    assert_eq!((error.line, error.what), (5, LogProblem::Broken));
}

#[test]
fn a_log_with_garbage_in_its_last_whole_line_is_not_continued() {
    let garbage = [log(), b"garbage\n".to_vec()].concat();
    assert_eq!(recover(&garbage, &keys()).unwrap_err().line, 17);
    let endless = [log(), vec![b'x'; bottle_evidence::audit::MAX_LINE + 2]].concat();
    assert_eq!(recover(&endless, &keys()).unwrap_err().what, LogProblem::TooLong);
}

#[test]
fn a_log_of_another_key_is_not_continued() {
    assert!(matches!(recover(&log(), &[]).unwrap_err().what, LogProblem::UnknownKey(_)));
}

#[test]
fn a_new_log_begins_at_one_after_zeros() {
    let recovered = recover(b"", &keys()).unwrap();
    assert!(recovered.mark.is_none());
    assert_eq!(recovered.chain.seq(), Chain::new().seq());
    let mut chain = recovered.chain;
    let line = chain.append(time(0), &start("run-1")).unwrap();
    let text = String::from_utf8(line).unwrap();
    assert!(text.contains(&format!("\"prev\":\"{}\"", "0".repeat(64))) && text.contains("\"seq\":1,"));
    chain.seal(time(0), &key()).unwrap();
}

#[test]
fn each_run_whose_end_nobody_sealed_when_the_writer_died_is_incomplete() {
    let mut recorder = Recorder::new();
    recorder.add(start("run-1"));
    recorder.seal();
    recorder.end();
    recorder.add(start("run-2"));
    let recovered = recover(&recorder.bytes, &keys()).unwrap();
    let continued = go_on(&recorder.bytes, recovered);
    let report = examine_log(&continued[..], &keys(), None).unwrap();
    let incomplete = report.runs.iter().map(|run| run.completeness == Completeness::Incomplete);
    assert_eq!(incomplete.collect::<Vec<_>>(), [true, true, false]);
    assert!(matches!(report.whole().unwrap_err().what, LogProblem::Incomplete(run) if run.as_str() == "run-1"));
}
