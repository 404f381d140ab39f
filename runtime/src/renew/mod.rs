//! How is a running bottle attested again? Measured once more, signed, compared, put on record, and only then handed over.
//!
//! The order is that of the start ([`crate::attest`]). The notification sockets listen since before anything was built, and what they
//! heard until now has ended the run, or there is none. The namespaces are read back with their generation; the gate answers a
//! challenge; the processes are measured; the statement is signed and written; then, if a notification came, or a generation,
//! setting or socket is another one, the run ends as by any drift. Else the log names the statement, and whoever asked gets it.
//!
//! The supervisor's own loop does what has to do with the watch and takes no time; all else is done in the thread of the client
//! who asks. The same measurement without a statement is made every so often ([`backstop`]).

pub(crate) mod ask;
pub(crate) mod backstop;
mod created;
mod kept;
pub(crate) mod powers;
mod recheck;
mod statement;
mod strangers;
pub(crate) mod supervised;

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bottle_evidence::audit::RunRenew;
use bottle_evidence::key::SigningKey;
use bottle_evidence::{Digest, sha256};
use bottle_netns::survey::Survey;
use tokio::sync::{mpsc, oneshot};

pub(crate) use created::Created;
pub(crate) use kept::Kept;
pub(crate) use recheck::{Recheck, Unsound};

use ask::Asker;

use crate::airlock::Airlock;
use crate::attest::{Said, Unfinished};
use crate::control::{Demand, Refusal};
use crate::durable::sync_directory_of;
use crate::publish::Published;
use crate::report::chain;
use crate::state::RENEWED;
use crate::supervisor::recorder::Recorder;
use crate::supervisor::watch::Drift;
use crate::tpm::Tpm;

/// What the supervisor's loop is asked for on the way.
#[derive(Debug)]
pub(crate) enum Step {
    /// To read the namespaces back, if nothing has happened to them.
    Survey(oneshot::Sender<Result<Surveyed, Refusal>>),
    /// To say that nothing has happened to them since.
    Compare(oneshot::Sender<()>),
    /// To end the run: something is not as it was attested.
    End(Drift),
}

/// What the supervisor's loop read back.
#[derive(Debug)]
pub(crate) struct Surveyed {
    pub(crate) survey: Survey,
    pub(crate) published: Vec<Published>,
}

/// The means to attest one bottle again.
pub(crate) struct Renewal {
    recheck: Arc<Recheck>,
    asker: Asker,
    said: Said,
    run: String,
    key: Arc<SigningKey>,
    /// Whose word was part of the start's attestation, and is asked for again.
    quoting: Option<Arc<dyn Tpm>>,
    path: PathBuf,
    recorder: Arc<Recorder>,
    /// One at a time.
    turn: Mutex<()>,
}

impl Renewal {
    pub(crate) fn new(airlock: &Airlock, recheck: Arc<Recheck>, said: Said) -> io::Result<Renewal> {
        let (plan, space) = (&airlock.plan, &airlock.space);
        let asker = Asker {
            program: Arc::clone(&airlock.program),
            agent: space.agent.try_clone()?,
            user: space.user.as_ref().map(OwnedFd::try_clone).transpose()?,
            become_id: plan.ids.as_ref().map(|ids| ids.gate()),
            key: airlock.challenge.key,
        };
        Ok(Renewal {
            recheck,
            asker,
            said,
            run: plan.run.clone(),
            key: Arc::clone(&plan.key),
            quoting: plan.quoting.clone(),
            path: plan.changes.with_file_name(RENEWED),
            recorder: Arc::clone(&airlock.recorder),
            turn: Mutex::new(()),
        })
    }

    /// The bytes of a new attestation, which the log names. `steps` leads to the supervisor's loop.
    pub(crate) fn attest(&self, nonce: Digest, steps: &mpsc::Sender<Demand>) -> Result<Vec<u8>, Refusal> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let demand = |step| steps.blocking_send(Demand::Renew(step)).map_err(|_| Refusal::ending());
        let unsound = |unsound| match unsound {
            Unsound::Drift(drift) => {
                let what =
                    format!("what was attested no longer holds, so the bottle ends: {}: {}", drift.what, drift.detail);
                demand(Step::End(drift)).err().unwrap_or_else(|| refused(&what, None))
            }
            other => refused(&other.to_string(), None),
        };
        let (tell, told) = oneshot::channel();
        demand(Step::Survey(tell))?;
        // Dropped where the run ends.
        let surveyed = told.blocking_recv().map_err(|_| Refusal::ending())??;
        let probe = self.asker.challenge(nonce, self.recheck.entering()).map_err(unsound)?;
        let found = self.recheck.processes().map_err(unsound)?;
        let broken = |what: &str, error: &(dyn std::error::Error + 'static)| {
            refused(&format!("{what}: {}", chain(error).join(": ")), None)
        };
        let (envelope, valid) =
            statement::signed(self, nonce, &surveyed, found, probe).map_err(|error| broken("cannot sign", &error))?;
        let unwritten = |error: std::io::Error| broken("cannot write the attestation", &error);
        let unfinished = Unfinished::write(&self.path, &self.run, &envelope).map_err(unwritten)?;
        unfinished.synchronise().map_err(unwritten)?;
        let (tell, told) = oneshot::channel();
        demand(Step::Compare(tell))?;
        told.blocking_recv().map_err(|_| Refusal::ending())?;
        let entry = RunRenew { attestation: sha256(&envelope), nonce };
        self.recorder
            .renewed(entry, &valid)
            .map_err(|_| refused("the bottle is ending, or its audit log can't be written", None))?;
        unfinished.place(sync_directory_of).map_err(unwritten)?;
        Ok(envelope)
    }
}

fn refused(what: &str, hint: Option<&str>) -> Refusal {
    Refusal { code: 125, what: what.to_owned(), hint: hint.map(str::to_owned) }
}
