//! What of a renewed measurement is the supervisor's own loop's? What has to do with the watch, and takes milliseconds.

use std::sync::Arc;

use bottle_netns::Layout;
use bottle_netns::survey::{generations, survey_beside_workload};

use super::{Step, Surveyed, Unsound};
use crate::airlock::Airlock;
use crate::attendants::Attendants;
use crate::attest::AttestError;
use crate::control::Refusal;
use crate::report::chain;
use crate::supervisor::inbound::Acceptor;
use crate::supervisor::watch::Drift;

/// Does a step that a client's thread asked for. What it finds ends the run, and the client hears that it ends.
pub(crate) fn step(airlock: &Airlock, attendants: &Attendants, step: Step) -> Option<Drift> {
    match step {
        Step::Survey(tell) => match surveyed(airlock, attendants) {
            Err(Unsound::Drift(drift)) => return Some(drift),
            // A client who is gone needs no answer, here and below.
            Err(other) => drop(tell.send(Err(Refusal { code: 125, what: other.to_string(), hint: None }))),
            Ok(surveyed) => drop(tell.send(Ok(surveyed))),
        },
        Step::Compare(tell) => {
            if let Some(drift) = changed(airlock, attendants) {
                return Some(drift);
            }
            let _ = tell.send(());
        }
        Step::End(drift) => return Some(drift),
    }
    None
}

/// Does what is due though nobody asks.
pub(crate) fn due(airlock: &Airlock, attendants: &mut Attendants) -> Option<Drift> {
    match surveyed(airlock, attendants) {
        Ok(_) => attendants.backstop.look(Arc::clone(&attendants.recheck)),
        Err(unsound) => attendants.backstop.judged(Err(unsound)),
    }
}

/// Reads the namespaces back, if nothing has been heard of them, and demands that they are those that were attested.
fn surveyed(airlock: &Airlock, attendants: &Attendants) -> Result<Surveyed, Unsound> {
    attendants.watcher.noticed(&airlock.space).map_or(Ok(()), |drift| Err(Unsound::Drift(drift)))?;
    let survey = survey_beside_workload(&airlock.space, &Layout::default()).map_err(AttestError::from)?;
    attendants.recheck.namespaces(&survey)?;
    let published = attendants.acceptor.as_ref().map_or(Ok(Vec::new()), Acceptor::measured);
    let published = published.map_err(|error| Unsound::Drift(Drift::new("published", error.to_string())))?;
    Ok(Surveyed { survey, published })
}

/// What happened to the namespaces since they were read back.
fn changed(airlock: &Airlock, attendants: &Attendants) -> Option<Drift> {
    let unannounced = || match generations(&airlock.space) {
        Ok(now) if now == attendants.recheck.generations() => None,
        Ok(_) => Some(Drift::new("ruleset", "the packet rules changed while they were measured")),
        Err(error) => Some(Drift::new("watch", chain(&error).join(": "))),
    };
    attendants.watcher.noticed(&airlock.space).or_else(unannounced)
}
