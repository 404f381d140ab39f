//! Does whatever the writer of a log takes verify, whole or torn at any place?

use bottle_evidence::Time;
use bottle_evidence::audit::{Chain, Ending, Entry, recover};
use bottle_evidence::verify::{examine_log, verify_log};

use super::Reading;
use crate::pieces;
use crate::targets::keys::{pair, trusted};

/// One entry of JSON a line; `seal` and `end` stand for themselves.
pub(super) fn read(bytes: &[u8]) -> Reading {
    let (key, mut chain, mut log, mut clock) = (pair(), Chain::new(), Vec::new(), 1_800_000_000_000_000);
    for line in pieces::lines(bytes, 24) {
        clock += 1000;
        let now = Time::from_micros(clock);
        let appended = match line {
            b"seal" => chain.seal(now, &key),
            b"end" => chain.end(now, ending()).map(|(_, bytes)| bytes),
            line => match serde_json::from_slice::<Entry>(line) {
                // That begins another file, and here is one.
                Ok(Entry::Segment(_)) | Err(_) => continue,
                Ok(entry) => chain.append(now, &entry),
            },
        };
        log.extend(appended.unwrap_or_default());
    }
    let keys = trusted(&key);
    let sealed = chain.unsealed() == 0 && chain.summary().is_none();
    match verify_log(&log[..], &keys, None) {
        Ok(report) => assert!(sealed && report.lines == chain.seq()),
        Err(error) if sealed && !log.is_empty() => panic!("written and refused: {error}"),
        Err(_) => {}
    }
    assert!(log.is_empty() || examine_log(&log[..], &keys, None).is_ok());
    torn(&log[..pieces::place(&log)]);
    (sealed && !log.is_empty()).into()
}

fn ending() -> Ending {
    Ending { exit: 0, reason: None, millis: 1, refused: Default::default() }
}

/// A log that ends anywhere is taken up: marked as torn, sealed, and its runs go on being verified.
fn torn(log: &[u8]) {
    let key = pair();
    let mut recovered = recover(log, &trusted(&key)).expect("what was written is taken up");
    assert_eq!(recovered.keep + recovered.torn, log.len() as u64);
    let mut kept = log[..recovered.keep as usize].to_vec();
    let now = Time::from_micros(1_900_000_000_000_000);
    if let Some(mark) = &recovered.mark {
        kept.extend(recovered.chain.append(now, mark).expect("the mark comes first"));
        kept.extend(recovered.chain.seal(now, &key).expect("there is a mark to seal"));
    }
    assert!(kept.is_empty() || examine_log(&kept[..], &trusted(&key), None).is_ok());
}
