//! How is what one run did handed on? In one signed file: its part of the log, its attestation and its policy.

use std::io::BufRead;

use serde::{Deserialize, Serialize};

use crate::audit::{Entry, Line, LogError, LogProblem, Piece, next_piece};
use crate::canonical::{self, NoCanonicalForm, ReadError};
use crate::digest::sha256;
use crate::dsse::{self, Envelope, EnvelopeError};
use crate::key::{PublicKey, SigningKey};
use crate::predicate::Stage;
use crate::text::Text;
use crate::time::Time;
use crate::verify::{BindingError, Expect, LogReport, Verified, VerifyError, bind, examine_run, verify_attestation};

/// The payload type of an incident.
pub const INCIDENT: &str = "application/vnd.bottle.incident+json";

/// More bytes than this are no incident.
pub const MAX_BYTES: usize = 256 << 20;

/// As base64 lines of more bytes than this are more than an incident has.
const MOST_OF_LOG: usize = MAX_BYTES / 4 * 3;

/// One run's evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    /// When it was put together.
    pub exported: Time,
    /// The attestation that the run began behind.
    pub attestation: Envelope,
    /// The last attestation of the run while it went on, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewed: Option<Envelope>,
    /// The policy in force: the text that its digest is of.
    pub policy: String,
    /// The lines of the run, from its `run.start` to the last seal before the next run, each as it was written.
    pub log: Vec<String>,
}

/// What an incident holds, all of which was verified.
#[derive(Clone, Debug, PartialEq)]
pub struct Examined {
    /// When it was put together.
    pub exported: Time,
    /// The attestation.
    pub attestation: Verified,
    /// What it was attested by while it went on.
    pub renewed: Option<Verified>,
    /// The policy in force.
    pub policy: String,
    /// The run. Its end may be missing: see [`LogReport::whole`].
    pub log: LogReport,
}

/// Why an incident was not accepted, or could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum IncidentError {
    /// The envelope is malformed, or not signed as it should be.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The payload is no incident in canonical form.
    #[error("the payload is {0}")]
    Form(ReadError),
    /// The lines are not those of one run, from its beginning.
    #[error("its lines are not those of one run")]
    NotOneRun,
    /// The lines of the run are more than an incident may have.
    #[error("the run's part of the log is longer than an export may be, {MAX_BYTES} bytes")]
    TooLong,
    /// The log has no such run.
    #[error("the log has no run {0}")]
    NoRun(Text),
    /// The lines do not verify.
    #[error("in its log, {0}")]
    Log(#[from] LogError),
    /// The attestation does not hold.
    #[error("its attestation does not hold: {0}")]
    Attestation(#[from] VerifyError),
    /// The attestation is not that of the run.
    #[error(transparent)]
    Binding(#[from] BindingError),
    /// The policy is not the one that was in force.
    #[error("its policy is not the one that was in force")]
    Policy,
    /// It has no canonical form.
    #[error(transparent)]
    NoCanonicalForm(#[from] NoCanonicalForm),
}

impl Incident {
    /// Signs it. Nothing in it is judged: see [`examine_incident`].
    ///
    /// # Errors
    /// [`NoCanonicalForm`].
    pub fn sign(&self, key: &SigningKey) -> Result<Envelope, NoCanonicalForm> {
        Ok(dsse::sign(key, INCIDENT, &canonical::to_bytes(self)?))
    }
}

/// The lines of the run with this id, or of the last one, for [`Incident::log`]. Lines are read and not judged.
///
/// # Errors
/// [`IncidentError::NoRun`] where the log has no such run, [`IncidentError::Log`] where a line can't be read,
/// [`IncidentError::TooLong`] where the run has more lines than an incident may.
pub fn lines_of(log: impl std::io::BufRead, run: Option<&str>) -> Result<Vec<String>, IncidentError> {
    lines_within(log, run, MOST_OF_LOG)
}

fn lines_within(mut log: impl BufRead, run: Option<&str>, most: usize) -> Result<Vec<String>, IncidentError> {
    let (mut lines, mut within, mut sealed, mut buffer) = (Vec::new(), false, 0, Vec::new());
    // A run that is too long may be followed by the one that was asked for: the last.
    let mut bytes = 0;
    for number in 1.. {
        let failed = |what| LogError::at(number, what);
        match next_piece(&mut log, &mut buffer).map_err(|error| LogError::unreadable(number, &error))? {
            Piece::Line => {}
            Piece::TooLong => return Err(failed(LogProblem::TooLong).into()),
            // A line without an end is nobody's yet.
            Piece::Torn | Piece::End => break,
        }
        let line = Line::from_bytes(&buffer).map_err(|error| failed(error.into()))?;
        if let Entry::RunStart(start) = &line.entry {
            within = run.is_none_or(|run| start.run.to_string() == run);
            if within {
                lines.clear();
                bytes = 0;
            }
        }
        bytes += if within { buffer.len() + 1 } else { 0 };
        if bytes > most {
            lines.clear();
        } else if within {
            lines.push(String::from_utf8_lossy(&buffer).into_owned());
            sealed = if matches!(line.entry, Entry::Seal(_)) { lines.len() } else { sealed.min(lines.len() - 1) };
        }
    }
    if bytes > most {
        return Err(IncidentError::TooLong);
    }
    if lines.is_empty() {
        return Err(IncidentError::NoRun(Text::new(run.unwrap_or("at all"))));
    }
    lines.truncate(sealed);
    Ok(lines)
}

/// Verifies an incident: signed by these keys, of one run whose lines nobody changed, which began behind an attestation that holds
/// and under the policy that is in it.
///
/// # Errors
/// [`IncidentError`].
pub fn examine_incident(envelope: &[u8], keys: &[PublicKey]) -> Result<Examined, IncidentError> {
    let envelope = Envelope::from_bytes_within(envelope, MAX_BYTES)?;
    let payload = envelope.verify(INCIDENT, keys)?;
    let incident: Incident = canonical::read(&payload).map_err(IncidentError::Form)?;
    envelope.signed_in_time(keys, incident.exported)?;
    let log = examine_run(&incident.log, keys)?;
    let [run] = log.runs.as_slice() else { return Err(IncidentError::NotOneRun) };
    if run.first + incident.log.len() as u64 != log.lines + 1 {
        return Err(IncidentError::NotOneRun);
    }
    let attestation = named(&incident.attestation, &log, keys, Stage::Start)?;
    let renewed = incident.renewed.map(|renewed| named(&renewed, &log, keys, Stage::Running)).transpose()?;
    if sha256(incident.policy.as_bytes()) != run.start.policy {
        return Err(IncidentError::Policy);
    }
    Ok(Examined { exported: incident.exported, attestation, renewed, policy: incident.policy, log })
}

/// An attestation at this stage that a line of the log names, and that held when the line was written.
fn named(envelope: &Envelope, log: &LogReport, keys: &[PublicKey], stage: Stage) -> Result<Verified, IncidentError> {
    let bytes = envelope.to_bytes();
    let named = log.naming(sha256(&bytes)).next();
    // One that no line names is judged all the same, so that what is wrong with it is said.
    let at = named.map(|named| named.time).or_else(|| log.runs.first().map(|run| run.started));
    let attestation = verify_attestation(&bytes, keys, &Expect::at(at.ok_or(BindingError::NoRun)?))?;
    bind(&attestation, log)?;
    if attestation.predicate().stage == stage { Ok(attestation) } else { Err(BindingError::OtherStage.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: &str, seq: u64) -> String {
        let zeros = "0".repeat(64);
        format!(
            r#"{{"attestation":"{zeros}","command":[],"kind":"run.start","mode":"enforce","policy":"{zeros}","prev":"{zeros}","run":"{id}","seq":{seq},"time":"2027-01-15T08:00:00.000000Z","workload":{{"pid":1,"start":1}}}}"#
        ) + "\n"
    }

    fn sealed(seq: u64) -> String {
        let zeros = "0".repeat(64);
        let signature = "0".repeat(128);
        format!(
            r#"{{"key":"{zeros}","kind":"seal","prev":"{zeros}","seq":{seq},"signature":"{signature}","time":"2027-01-15T08:00:00.000000Z"}}"#
        ) + "\n"
    }

    #[test]
    fn of_a_run_no_more_is_held_than_an_incident_may_have_and_one_after_it_is_handed_on() {
        let short = run("short", 1000) + &sealed(1001);
        let long: String = run("long", 1) + &(2..1000).map(sealed).collect::<String>();
        let most = short.len();
        let both = long + &short;
        let lines = |run| lines_within(both.as_bytes(), run, most);
        assert!(matches!(lines(Some("long")), Err(IncidentError::TooLong)));
        assert_eq!(lines(Some("short")).unwrap().len(), 2);
        assert_eq!(lines(None).unwrap().len(), 2);
        assert!(matches!(lines_within(both.as_bytes(), None, most - 1), Err(IncidentError::TooLong)));
    }
}
