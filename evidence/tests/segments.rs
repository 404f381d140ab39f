//! Is a log of several files whole only as it was written, and taken up again wherever its writer died?

mod recorded;

use bottle_evidence::audit::{LogProblem, OrderError, recover_segments};
use bottle_evidence::verify::{LogError, LogReport, examine_segments};
use recorded::{Recorder, files, keys, lines, split, start};

fn examined(files: &[Vec<u8>]) -> Result<LogReport, LogError> {
    let report = examine_segments(files.iter().map(|file| Ok(&file[..])), &keys(), None)?;
    report.whole().map(|()| report)
}

/// The file, the line counted through all of them, and what is wrong there.
fn refused(files: &[Vec<u8>]) -> (u64, u64, LogProblem) {
    let error = examined(files).expect_err("a log that was changed passed");
    (error.segment, error.line, error.what)
}

/// The number of the first line of each file.
fn firsts(files: &[Vec<u8>]) -> Vec<u64> {
    let counts = files.iter().map(|file| lines(file).len() as u64);
    counts.scan(1, |next, count| Some(std::mem::replace(next, *next + count))).collect()
}

#[test]
fn an_untouched_log_of_several_files_passes_and_its_lines_are_counted_through() {
    let files = files();
    let report = examined(&files).unwrap();
    assert_eq!((report.segments, report.runs.len()), (4, 2));
    assert_eq!(report.lines, files.iter().map(|file| lines(file).len() as u64).sum::<u64>());
    assert_eq!(report.runs.iter().map(|run| run.segment).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn every_byte_that_is_edited_in_any_file_is_found_there_or_where_the_next_begins() {
    let files = files();
    for (at, file) in files.iter().enumerate() {
        for byte in 0..file.len() {
            let mut edited = files.clone();
            edited[at][byte] ^= 1;
            let (found, ..) = refused(&edited);
            assert!(found == at as u64 + 1 || found == at as u64 + 2, "byte {byte} of file {}: {found}", at + 1);
        }
    }
}

#[test]
fn every_line_that_is_deleted_or_there_twice_is_found_in_its_file_or_where_the_next_begins() {
    let files = files();
    for (at, file) in files.iter().enumerate() {
        let lines = lines(file);
        for line in 0..lines.len() {
            let (mut fewer, mut more) = (files.clone(), files.clone());
            fewer[at] = [&lines[..line], &lines[line + 1..]].concat().concat();
            more[at] = [&lines[..=line], &lines[line..]].concat().concat();
            let is_last = at + 1 == files.len() && line + 1 == lines.len();
            for (changed, is_cut) in [(fewer, is_last), (more, false)] {
                let (found, ..) = refused(&changed);
                // What is cut at the end is missed by the line that it was to seal, or by the run that began in another file.
                let here = at as u64 + 1;
                assert!(is_cut || found == here || found == here + 1, "line {line} of file {here}: {found}");
            }
        }
    }
}

#[test]
fn a_file_that_ends_early_is_found_where_the_next_begins_and_the_last_by_the_run_without_its_end() {
    let (files, firsts) = (files(), firsts(&files()));
    for (at, file) in files.iter().enumerate() {
        let lines = lines(file);
        for kept in 0..lines.len() {
            let mut cut = files.clone();
            cut[at] = lines[..kept].concat();
            let (found, line, what) = refused(&cut);
            let (here, end) = (at as u64 + 1, firsts[at] + kept as u64);
            match what {
                LogProblem::NoSegment(number) => assert_eq!((number, found, line, kept), (here, here, end, 0)),
                LogProblem::Apart => assert_eq!((found, line), (here + 1, end)),
                LogProblem::Incomplete(run) => assert_eq!((run.as_str(), here, found), ("run-2", 4, 2)),
                LogProblem::Unsealed => assert_eq!((here, found), (4, 4)),
                other => panic!("{kept} lines of file {here}: {other}"),
            }
        }
    }
}

#[test]
fn a_file_that_is_missing_moved_or_anothers_is_named() {
    let files = files();
    let other = {
        let mut recorder = Recorder::new();
        recorder.add(start("another"));
        recorder.segment();
        recorder.end();
        recorder.seal();
        split(&recorder.bytes)
    };
    let of = |numbers: &[usize]| -> Vec<Vec<u8>> { numbers.iter().map(|number| files[number - 1].clone()).collect() };
    let firsts = firsts(&files);
    let should = |is, should| LogProblem::OtherSegment { is, should };
    // Without the first the rest begins no log; without one between, the next says which it is.
    assert_eq!(refused(&of(&[2, 3, 4])), (1, 1, LogProblem::SegmentInside(2)));
    assert_eq!(refused(&of(&[1, 3, 4])), (2, firsts[1], should(3, 2)));
    assert_eq!(refused(&of(&[1, 2, 4])), (3, firsts[2], should(4, 3)));
    assert!(matches!(refused(&of(&[1, 2, 3])), (2, _, LogProblem::Incomplete(_))));
    assert_eq!(refused(&of(&[1, 3, 2, 4])), (2, firsts[1], should(3, 2)));
    assert_eq!(refused(&of(&[1, 2, 2, 3, 4])), (3, firsts[2], should(2, 3)));
    // An old or foreign file under the right number; several in one; an empty one.
    let foreign = [files[0].clone(), other[1].clone(), files[2].clone(), files[3].clone()];
    assert_eq!(refused(&foreign), (2, firsts[1], LogProblem::Apart));
    let whole = [files[0].clone(), other[0].clone()];
    assert_eq!(refused(&whole), (2, firsts[1], LogProblem::NoSegment(2)));
    assert_eq!(refused(&[files.concat()]), (1, firsts[1], LogProblem::SegmentInside(2)));
    assert_eq!(refused(&[files[0].clone(), Vec::new(), files[1].clone()]), (2, firsts[1], LogProblem::NoSegment(2)));
}

/// It is there from when the one before is full until there is a line for it, and its writer may have died by then.
#[test]
fn a_last_file_without_a_line_is_as_if_it_were_not_there() {
    let files = files();
    let begun = |files: &[Vec<u8>]| [files, &[Vec::new()]].concat();
    for count in [1, 2, 3] {
        assert_eq!(refused(&begun(&files[..count])), refused(&files[..count]));
    }
    assert_eq!(examined(&begun(&files)), examined(&files));
    let torn = [&files[..3], &[lines(&files[3])[0].clone()]].concat();
    assert_eq!(refused(&begun(&torn)), refused(&torn));
}

#[test]
fn no_file_is_begun_while_a_line_is_unsealed_or_by_another_number() {
    let mut recorder = Recorder::new();
    recorder.add(start("run-1"));
    let now = recorder.now();
    let unsealed = recorder.chain.segment(now).unwrap_err().to_string();
    assert_eq!(unsealed, OrderError::SegmentUnsealed.to_string());
    recorder.segment();
    recorder.seal();
    let other = serde_json::from_str(r#"{"kind":"segment","number":4}"#).unwrap();
    let wrong = recorder.chain.append(now, &other).unwrap_err().to_string();
    assert_eq!(wrong, OrderError::WrongSegment { said: 4, counted: 3 }.to_string());
}

/// What is on the disk when a writer dies after so many bytes: the next file is there, empty, when the one before is written.
fn died_after(files: &[Vec<u8>], mut bytes: usize, next_was_begun: bool) -> Vec<Vec<u8>> {
    let mut there = Vec::new();
    for file in files {
        there.push(file[..bytes.min(file.len())].to_vec());
        if bytes < file.len() || (bytes == file.len() && !next_was_begun) {
            break;
        }
        bytes -= file.len();
    }
    there
}

#[test]
fn a_log_whose_writer_died_at_any_byte_of_any_file_is_gone_on_with_and_loses_no_line() {
    let files = files();
    let all: usize = files.iter().map(Vec::len).sum();
    for (bytes, next_was_begun) in (0..=all).flat_map(|bytes| [(bytes, false), (bytes, true)]) {
        let there = died_after(&files, bytes, next_was_begun);
        let recovered = recover_segments(there.iter().map(|file| Ok(&file[..])), &keys()).unwrap();
        let mut kept = there[..recovered.segments].to_vec();
        kept[recovered.segments - 1].truncate(recovered.keep as usize);
        let whole = |files: &[Vec<u8>]| files.concat().iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(whole(&kept), whole(&there), "after {bytes} bytes");
        let mut recorder = Recorder::resume(recovered.chain, Vec::new());
        if let Some(mark) = recovered.mark {
            recorder.add(mark);
            recorder.seal();
        }
        recorder.add(start("run-after"));
        recorder.segment();
        recorder.end();
        recorder.seal();
        let mut more = split(&recorder.bytes).into_iter();
        kept[recovered.segments - 1].extend(more.next().unwrap());
        kept.extend(more);
        let report = examine_segments(kept.iter().map(|file| Ok(&file[..])), &keys(), None).unwrap();
        assert_eq!((report.unsealed, report.runs.last().unwrap().start.run.as_str()), (None, "run-after"));
        assert_eq!(report.segments, kept.len() as u64);
    }
}

#[test]
fn zeros_in_place_of_a_further_file_or_of_its_first_line_are_cut_and_the_file_with_them() {
    let files = files();
    let first = lines(&files[1])[0].len();
    for length in 0..first {
        let zeros = [&files[1][..length], &[0; 5000]].concat();
        let there = [files[0].clone(), zeros.clone()];
        let recovered = recover_segments(there.iter().map(|file| Ok(&file[..])), &keys()).unwrap();
        let kept = (recovered.segments, recovered.keep, recovered.torn);
        assert_eq!(kept, (1, files[0].len() as u64, zeros.len() as u64));
    }
}

#[test]
fn a_log_with_a_file_that_was_changed_is_not_gone_on_with() {
    let files = files();
    let refused = |files: &[Vec<u8>]| recover_segments(files.iter().map(|file| Ok(&file[..])), &keys()).unwrap_err();
    let mut torn_between = files.clone();
    torn_between[1].pop();
    assert_eq!((refused(&torn_between).segment, refused(&torn_between).what), (2, LogProblem::Torn));
    let mut empty_between = files.clone();
    empty_between[1].clear();
    assert_eq!((refused(&empty_between).segment, refused(&empty_between).what), (2, LogProblem::NoSegment(2)));
    let precious = [files[0].clone(), b"precious".to_vec()];
    assert_eq!((refused(&precious).segment, refused(&precious).what), (2, LogProblem::NoSegment(2)));
}
