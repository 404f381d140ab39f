//! How does the dialler get a decision recorded? It sends the record to the supervisor and waits for its word.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bottle_policy::Verdict;
use bottle_proxy::{Attempt, Ledger, LedgerError, Outcome};
use tokio::sync::oneshot;

use super::message::{Decision, DecisionRecord, FromDialler};
use crate::async_channel::AsyncChannel;

/// The supervisor's ledger, as the dialler reaches it; all clones are the same one.
#[derive(Clone, Debug)]
pub(super) struct RemoteLedger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    supervisor: Arc<AsyncChannel>,
    waiting: Mutex<HashMap<u64, oneshot::Sender<bool>>>,
}

impl RemoteLedger {
    pub(super) fn new(supervisor: Arc<AsyncChannel>) -> RemoteLedger {
        RemoteLedger(Arc::new(Inner { supervisor, waiting: Mutex::default() }))
    }

    /// The supervisor has spoken about these attempts.
    pub(super) fn answered(&self, attempts: &[u64], recorded: bool) {
        let mut waiting = self.lock();
        for waiting in attempts.iter().filter_map(|attempt| waiting.remove(attempt)) {
            // The one who waited may have given up meanwhile; then nobody dials.
            let _ = waiting.send(recorded);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, oneshot::Sender<bool>>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for RemoteLedger {
    async fn decided(&self, attempt: &Attempt, verdict: &Verdict) -> Result<(), LedgerError> {
        let (sender, receiver) = oneshot::channel();
        self.lock().insert(attempt.id, sender);
        let record = DecisionRecord { attempt: attempt.clone(), decision: Decision::from(verdict) };
        self.0
            .supervisor
            .send(&FromDialler::Decided(record), &[])
            .await
            .map_err(|error| LedgerError(error.to_string()))?;
        match receiver.await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(LedgerError("the log takes no entry".into())),
        }
    }

    async fn ended(&self, outcome: Outcome) {
        // Without a supervisor there is no log to write to, and this process ends anyway.
        let _ = self.0.supervisor.send(&FromDialler::Ended(outcome), &[]).await;
    }
}
