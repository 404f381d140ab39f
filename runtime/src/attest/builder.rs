//! What does the builder say when it has built, and has it left the agent's namespace? It may still be there when the statement is signed, and may not when that is placed.

use std::io;
use std::os::fd::OwnedFd;

use super::{AttestError, THREAD, in_step, membership, requirements};
use crate::airlock::Airlock;
use crate::builder::FromBuilder;
use crate::probe::ProbeResult;
use crate::thread;
use crate::waiting::Waiting;

impl Airlock {
    /// What it tried before anybody was confined.
    pub(super) async fn tried_by_builder(&mut self) -> Result<ProbeResult, AttestError> {
        match self.hear_builder("hear of the probe through a packet socket").await? {
            (FromBuilder::Probed(result), socket) => {
                self.probing = socket;
                Ok(result)
            }
            (other, _) => Err(unexpected_of(&other)),
        }
    }

    /// Demands that the builder has left the agent's namespace, and that nobody else has a socket there, if an engine has made it.
    pub(super) async fn left_alone(&mut self) -> Result<(), AttestError> {
        if self.init.container.is_some() {
            match self.hear_builder("hear who else has sockets in the network namespace").await?.0 {
                FromBuilder::Holders(holders) if holders.is_empty() => {}
                FromBuilder::Holders(holders) => return Err(AttestError::Holders(holders)),
                FromBuilder::Failed { why, .. } => return Err(AttestError::Uncounted(why)),
                other => return Err(unexpected_of(&other)),
            }
        }
        let has_left = |builder: &Waiting| membership::leaves_in_time(builder.process.pid());
        if !self.builder.as_ref().map(has_left).transpose().map_err(requirements::unlisted)?.unwrap_or_default() {
            return Err(AttestError::Process { who: "builder", what: "does not end".into() });
        }
        if !self.probing.is_empty() {
            // The kernel takes some ten milliseconds, for which nobody waits.
            let probing = std::mem::take(&mut self.probing);
            thread::begin(move || drop(probing)).map_err(in_step(THREAD))?;
        }
        Ok(())
    }

    async fn hear_builder(&self, what: &'static str) -> Result<(FromBuilder, Vec<OwnedFd>), AttestError> {
        let builder = self.builder.as_ref().ok_or(io::ErrorKind::NotFound.into()).map_err(in_step(what))?;
        builder.recv().await.map_err(|error| in_step(what)(io::Error::other(error)))
    }
}

fn unexpected_of(message: &FromBuilder) -> AttestError {
    in_step("hear the builder")(io::Error::other(format!("it said {message:?}")))
}
