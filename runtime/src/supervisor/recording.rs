//! How are the dialler's records served? By a thread of its own, so that a slow disk delays decisions and nothing else.
//!
//! One signature and one write to the disk serve all records that are there. Where several decisions came at once, more
//! are coming: then the next batch begins no sooner than `PACE` after this one. Who decides one by one never waits.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bottle_evidence::audit::Process;
use tokio::sync::oneshot;

use super::recorder::{NotRecorded, Recorder};
use super::watch::Drift;
use super::who::Who;
use crate::channel::{Channel, why_unheard};
use crate::dialler::message::{FromDialler, ToDialler};
use crate::{heartbeat, thread};

/// The most records that share one seal.
const BATCH: usize = 256;

/// Under load, from the beginning of one batch to that of the next, at least: the most that a decision waits for others.
const PACE: Duration = Duration::from_millis(2);

/// Serves until the dialler is gone or silent for too long; what it was is then sent to `ended`.
pub fn serve(
    dialler: Channel,
    recorder: Arc<Recorder>,
    mut who: Who,
    ended: oneshot::Sender<Drift>,
) -> io::Result<JoinHandle<()>> {
    thread::begin(move || {
        let drift = serve_until_the_end(&dialler, &recorder, &mut who);
        // Nobody listens any more when the run is over.
        let _ = ended.send(drift);
    })
}

fn serve_until_the_end(dialler: &Channel, recorder: &Recorder, who: &mut Who) -> Drift {
    loop {
        let (records, end) = match batch(dialler) {
            Ok(batch) => batch,
            Err(error) => return gone(error),
        };
        let decisions = records.iter().filter(|record| is_decision(record)).count();
        // Nothing is written for probes, so that they gain nothing by waiting for one another.
        let (begun, under_load) = (Instant::now(), decisions > 1 && recorder.is_running());
        // What it says of its end names the cause; that it is gone is what follows.
        let last = records.iter().find_map(last_word);
        let error = answer(dialler, recorder, who, records).err().or(end);
        if let Some(drift) = last.or(error.map(gone)) {
            return drift;
        }
        if under_load {
            std::thread::sleep(PACE.saturating_sub(begun.elapsed()));
        }
    }
}

fn is_decision(record: &FromDialler) -> bool {
    matches!(record, FromDialler::Decided(_))
}

fn last_word(record: &FromDialler) -> Option<Drift> {
    match record {
        FromDialler::GateEnded(why) => Some(Drift::new("gate", why)),
        FromDialler::Failed(why) => Some(Drift::new("dialler", why.join(": "))),
        _ => None,
    }
}

fn gone(error: io::Error) -> Drift {
    Drift::new("dialler", why_unheard(&error))
}

/// Waits for one record, then takes what else is there already. What came before the end of the channel counts.
fn batch(dialler: &Channel) -> io::Result<(Vec<FromDialler>, Option<io::Error>)> {
    let mut records = Vec::new();
    while records.len() < BATCH {
        match dialler.try_recv() {
            Ok(Some((record, _))) => records.push(record),
            Ok(None) if !records.is_empty() => break,
            Ok(None) if heartbeat::heard(dialler)? => {}
            Ok(None) => return Err(io::Error::new(io::ErrorKind::TimedOut, "the dialler is stopped")),
            Err(error) if records.is_empty() => return Err(error),
            Err(error) => return Ok((records, Some(error))),
        }
    }
    Ok((records, None))
}

/// Appends all, commits once, and only then acknowledges. Outcomes alone wait for the next decision or heartbeat.
pub(super) fn answer(
    dialler: &Channel,
    recorder: &Recorder,
    who: &mut Who,
    records: Vec<FromDialler>,
) -> io::Result<()> {
    let mut processes = processes(recorder, who, &records).into_iter();
    let (mut appended, mut refused, mut due) = (Vec::new(), Vec::new(), false);
    for record in records {
        match record {
            FromDialler::Decided(record) => {
                match recorder.decided(&record, processes.next().unwrap_or(Process::UNKNOWN)) {
                    Ok(()) => appended.push(record.attempt.id),
                    Err(NotRecorded) => refused.push(record.attempt.id),
                }
            }
            FromDialler::Ended(outcome) => recorder.ended(&outcome),
            FromDialler::Ready | FromDialler::Failed(_) | FromDialler::GateEnded(_) | FromDialler::Beat => due = true,
        }
    }
    if due || !appended.is_empty() {
        match recorder.commit() {
            Ok(()) => say(dialler, appended, ToDialler::Recorded)?,
            Err(NotRecorded) => refused.append(&mut appended),
        }
    }
    say(dialler, refused, ToDialler::NotRecorded)
}

/// Who wants what is decided upon in these records, in their order. Of probes nobody asks.
fn processes(recorder: &Recorder, who: &mut Who, records: &[FromDialler]) -> Vec<Process> {
    if !recorder.is_running() {
        return Vec::new();
    }
    let ends = records.iter().filter_map(|record| match record {
        FromDialler::Decided(record) => Some((record.attempt.source, record.attempt.original)),
        _ => None,
    });
    who.hold(&ends.collect::<Vec<_>>(), Instant::now())
}

fn say(dialler: &Channel, attempts: Vec<u64>, word: fn(Vec<u64>) -> ToDialler) -> io::Result<()> {
    if attempts.is_empty() { Ok(()) } else { dialler.send(&word(attempts), &[]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialler_that_ends_since_the_gate_has_names_the_gate() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let key = Arc::new(bottle_evidence::key::SigningKey::from_seed([7; 32]));
        let ledger = crate::supervisor::ledger::Ledger::open(&directory.path().join("audit.jsonl"), key);
        let ledger = ledger.map_err(io::Error::other)?;
        let recorder = Recorder::new(ledger, Arc::new(bottle_policy::Rules::deny_all()), Box::new(|_| ()));
        let connections = bottle_netns::Connections::open().map_err(io::Error::other)?;
        let mut who = Who::new(connections, std::fs::File::open("/proc/self/ns/net")?)?;
        let (ours, theirs) = Channel::pair()?;
        theirs.send(&FromDialler::Beat, &[])?;
        theirs.send(&FromDialler::GateEnded("it is gone".into()), &[])?;
        drop(theirs);
        assert_eq!(serve_until_the_end(&ours, &recorder, &mut who), Drift::new("gate", "it is gone"));
        Ok(())
    }

    #[test]
    fn decisions_that_come_together_share_one_seal_and_are_acknowledged_together() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let log = directory.path().join("audit.jsonl");
        let key = Arc::new(bottle_evidence::key::SigningKey::from_seed([7; 32]));
        let ledger = crate::supervisor::ledger::Ledger::open(&log, key).map_err(io::Error::other)?;
        let recorder = Recorder::new(ledger, Arc::new(bottle_policy::Rules::deny_all()), Box::new(|_| ()));
        recorder.record(&crate::supervisor::run_start::run_start());
        recorder.commit().map_err(|_| io::ErrorKind::Other)?;
        recorder.begin();
        let connections = bottle_netns::Connections::open().map_err(io::Error::other)?;
        let mut who = Who::new(connections, std::fs::File::open("/proc/self/ns/net")?)?;
        let (ours, theirs) = Channel::pair()?;
        let records = (1..=50).map(crate::supervisor::power_loss_tests::decided).collect();
        answer(&ours, &recorder, &mut who, records)?;
        let Some((ToDialler::Recorded(attempts), _)) = theirs.try_recv()? else { panic!("it hears nothing") };
        assert_eq!(attempts, (1..=50).collect::<Vec<u64>>());
        let log = std::fs::read_to_string(log)?;
        let count = |kind: &str| log.lines().filter(|line| line.contains(&format!(r#""kind":"{kind}""#))).count();
        assert_eq!((count("decision"), count("seal")), (50, 2), "one for the run's start, and one for all of them");
        Ok(())
    }

    #[test]
    fn what_a_dialler_said_last_counts_although_it_is_gone() -> io::Result<()> {
        let (ours, theirs) = Channel::pair()?;
        for _ in 0..3 {
            theirs.send(&FromDialler::Beat, &[])?;
        }
        drop(theirs);
        let (records, end) = batch(&ours)?;
        assert_eq!((records.len(), end.is_some()), (3, true));
        Ok(())
    }
}
