//! Is the airlock what it must be? Measured from the kernel, probed, signed; only then is there a binding.
//!
//! The order matters. The notification sockets listen since before anything was built. The state was read with its
//! generation as soon as all was; the workload is put on hold just before its execve(2), and measured there while the probes run; then those
//! around it are measured, and what it will execute is hashed by then; the statement is signed; and then, if a notification came, or a generation or setting changed in between, or somebody
//! else is or may be in the agent's namespace yet, all of it is void.

pub(crate) mod adopted;
mod binding;
mod builder;
pub(crate) mod facts;
pub(crate) mod membership;
mod mounts;
mod planned;
pub mod process;
pub(crate) mod requirements;
mod unfinished;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use bottle_evidence::canonical::NoCanonicalForm;
use bottle_evidence::quote::{self, Quote};
use bottle_evidence::{Digest, Text};
use bottle_netns::Layout;
use bottle_netns::airlock::Sysctl;
use bottle_netns::conform::{Deviation, conforms};
use bottle_netns::counters::{CountError, Counters, counters};
use bottle_netns::survey::{Survey, SurveyError, generations};
use bottle_netns::watch::{Change, Kind};
use tokio::sync::oneshot;

use crate::adopt::KeeperError;
use crate::airlock::Airlock;
use crate::cgroups::LimitError;
use crate::confine::Ports;
use crate::digest::Ahead;
use crate::gate::message::ToGate;
use crate::init::message::{Failure, FromInit, ToInit};
use crate::probe::ProbeResult;
use crate::renew::Kept;
use crate::supervisor::ledger::LedgerError;
use crate::supervisor::watch::Drift;
use crate::thread;
use crate::tpm::TpmFailure;

pub use binding::Binding;
pub(crate) use binding::{Held, Said, Vigil, valid_from};
use requirements::OnHold;
pub(crate) use unfinished::Unfinished;

/// How long the probes and the preparation of the workload may take. Each probe is bounded by itself.
const PATIENCE: Duration = Duration::from_secs(60);

const FORGET: &str = "have the gate forget the probes";
const FACTS: &str = "read facts of the host";
const HASH: &str = "hash the workload's program";
const QUOTE: &str = "have the TPM quote";
const THREAD: &str = "begin a thread";

fn in_step(step: &'static str) -> impl Fn(io::Error) -> AttestError {
    move |source| AttestError::Step { step, source }
}

/// A thread of ours that ended without a result.
fn broken(step: &'static str) -> impl Fn(oneshot::error::RecvError) -> AttestError {
    move |source| AttestError::Step { step, source: io::Error::other(source) }
}

/// Why there is no binding: the workload never starts.
#[derive(Debug, thiserror::Error)]
pub enum AttestError {
    /// The kernel could not be asked.
    #[error("cannot measure the namespaces")]
    Survey(#[from] SurveyError),
    /// What the packet filter counted can't be read.
    #[error(transparent)]
    Count(#[from] CountError),
    /// It said something else than it must.
    #[error("the airlock is not what it must be: {}", list(.0))]
    Deviates(Vec<Deviation>),
    /// A probe saw something else than it must.
    #[error("the probe {name} {stage} observed {observed:?} instead of {expected:?}")]
    Probe {
        /// The probe.
        name: String,
        /// Before or inside the final confinement.
        stage: &'static str,
        /// What it saw.
        observed: String,
        /// What it must see.
        expected: String,
    },
    /// Somebody has sockets in a network namespace that was adopted.
    #[error("somebody holds sockets in the network namespace already: {}", .0.join(", "))]
    Holders(Vec<String>),
    /// The builder could not tell.
    #[error("cannot count the sockets in the network namespace: {}", .0.join(": "))]
    Uncounted(Vec<String>),
    /// A process is not what it must be.
    #[error("the {who} process {what}")]
    Process {
        /// Which one.
        who: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// A process could not be measured.
    #[error("cannot measure the {who} process")]
    Measure {
        /// Which one.
        who: &'static str,
        /// Why not.
        source: process::MeasureError,
    },
    /// Nobody is there who would end a container without its supervisor.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    /// A limit is not what it must be.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// Something changed while it was measured.
    #[error("the airlock changed while it was measured: {}", changes(.0))]
    Changed(Vec<Change>),
    /// The packet rules changed while they were measured, and nobody said so.
    #[error("the packet rules changed while they were measured")]
    Generation,
    /// A helper broke while it was measured.
    #[error("the {} broke: {}", .0.what, .0.detail)]
    Drift(Drift),
    /// Init could not prepare the workload.
    #[error(transparent)]
    Init(#[from] Failure),
    /// Init said nothing, or something else than it should.
    #[error("the workload's init did not answer as it should")]
    Silent(#[source] io::Error),
    /// The attestation or the log could not be written.
    #[error("cannot write the attestation {}", path.display())]
    Write {
        /// The file.
        path: std::path::PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The run could not be opened in the log.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A TPM that was to say something did not.
    #[error("the TPM does not quote")]
    Quote(#[from] TpmFailure),
    /// The statement has no canonical form.
    #[error("the statement can't be signed")]
    Canonical(#[from] NoCanonicalForm),
    /// Something of our own failed.
    #[error("cannot {step}")]
    Step {
        /// Which step.
        step: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl AttestError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            AttestError::Init(failure) => failure.hint.clone(),
            AttestError::Limit(error) => error.hint(),
            AttestError::Quote(failure) => failure.hint.map(str::to_owned),
            AttestError::Write { .. } | AttestError::Ledger(_) => {
                Some("make room, or give other files with --attestation and --audit".into())
            }
            AttestError::Holders(_) => Some(
                "give the container a network namespace that nobody has used: a socket in it, whoever holds it, would be a way out"
                    .into(),
            ),
            AttestError::Changed(_) | AttestError::Generation | AttestError::Deviates(_) => Some(
                "something on this host changes namespaces that it does not know; find out what before you try again"
                    .into(),
            ),
            _ => None,
        }
    }
}

fn list(deviations: &[Deviation]) -> String {
    deviations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn changes(changes: &[Change]) -> String {
    changes.iter().map(|change| change.what.as_str()).collect::<Vec<_>>().join("; ")
}

/// What the two rounds of probes saw: before the final confinement, and inside it.
pub(crate) struct Probed {
    pub(crate) unconfined: Vec<ProbeResult>,
    pub(crate) confined: Vec<ProbeResult>,
}

impl Airlock {
    /// Measures, probes, signs. On an error the workload has not executed an instruction, and never will.
    pub async fn attest(mut self) -> Result<Binding, AttestError> {
        // An init that is gone has said why, which is heard next.
        let _ = self.init.channel.send(&ToInit::Probe, &[]).await;
        let hashing = self.hash_ahead().await?;
        let quoting = self.quote_ahead()?;
        let state = Arc::clone(&self.state);
        // While the probes run, and in a thread of its own, as the survey before.
        let ports = self.plan.ports();
        let examining = thread::awaited(move || examined(&state, ports)).map_err(in_step(THREAD))?;
        // It stands before its execve(2) from here on. While it is measured, the probes run.
        let mut held = self.held().await?;
        if let Some(keeper) = &self.keeper {
            keeper.ready()?;
        }
        let own = requirements::own()?;
        let workload = requirements::on_hold(&self, &held, &own)?;
        let first = held.first(workload.clone()).map_err(in_step(FACTS))?;
        if self.init.container.is_none() {
            held.keep_mounts().map_err(in_step(FACTS))?;
        }
        let known = examining.await.map_err(broken(FACTS))??;
        let probed = self.probed().await?;
        let members = requirements::members(&self, &held)?;
        self.have_probes_forgotten()?;
        let helpers = requirements::init_and_dialler(&self)?;
        let counted = self.forgotten().await?;
        let ahead = hashing.await.map_err(broken(HASH))?;
        let on_hold = OnHold { workload, executable: requirements::executable(&self, &held, ahead.as_ref())? };
        let processes = requirements::measured(&self, &held, on_hold, helpers, &own, members)?;
        // What it was there for is done.
        self.plan.subordinate.as_ref().inspect(|subordinate| subordinate.dismiss());
        self.counted_before = counted;
        let program = self.own_digest()?;
        let facts = facts::complete(known, &self, &held, &processes, program);
        let mut facts = facts.map_err(|source| AttestError::Step { step: FACTS, source })?;
        if let Some(quoting) = quoting {
            facts.insert(quote::FACT.into(), quoting.await.map_err(broken(QUOTE))??.to_fact());
        }
        let keeper = self.keeper.as_ref().zip(processes.keeper);
        let keeper = keeper.map(|(keeper, found)| Kept::hidden(keeper, found)).transpose()?;
        Binding::sign(self, held, first, keeper, program, facts, &probed).await
    }

    /// Hashes what init expects that the workload will execute, in a thread, while the probes run.
    async fn hash_ahead(&self) -> Result<oneshot::Receiver<Option<Ahead>>, AttestError> {
        let FromInit::Expects { executable } = self.hear_init().await?.0 else { return Err(unexpected()) };
        let init = self.init.process.pid();
        thread::awaited(move || process::file_digest_ahead(init, executable.as_deref()?)).map_err(in_step(THREAD))
    }

    /// Has a TPM say in which state the machine is, in a thread, while the probes run: it takes its time.
    fn quote_ahead(&self) -> Result<Option<oneshot::Receiver<Result<Quote, TpmFailure>>>, AttestError> {
        let Some(tpm) = self.plan.quoting.clone() else { return Ok(None) };
        let plan = &self.plan;
        let question = quote::question(plan.key.public().id(), plan.nonce, &Text::new(&plan.run));
        thread::awaited(move || tpm.quote(question)).map(Some).map_err(in_step(THREAD))
    }

    async fn probed(&mut self) -> Result<Probed, AttestError> {
        let mut rounds = Vec::new();
        for confined in [false, true] {
            match self.hear_init().await?.0 {
                FromInit::Probed { confined: stage, results } if stage == confined => rounds.push(results),
                _ => return Err(unexpected()),
            }
        }
        let (Some(confined), Some(others)) = (rounds.pop(), rounds.pop()) else { return Err(unexpected()) };
        let unconfined = crate::probe::united([vec![self.tried_by_builder().await?], others]);
        let expected = crate::probe::expected(&self.challenge.answer);
        require("before the confinement", &expected, &unconfined)?;
        require("inside the confinement", &expected, &confined)?;
        Ok(Probed { unconfined, confined })
    }

    /// What the probes provoked belongs to the attestation, not to the log: the gate starts anew, and what was counted
    /// so far is taken off at the end.
    fn have_probes_forgotten(&mut self) -> Result<(), AttestError> {
        self.gate.link.send(&ToGate::Begin).map_err(in_step(FORGET))
    }

    /// What was counted until then.
    async fn forgotten(&mut self) -> Result<Counters, AttestError> {
        let begun = tokio::time::timeout(PATIENCE, self.gate.link.begun()).await;
        begun.map_err(|late| in_step(FORGET)(late.into()))?.map_err(AttestError::Drift)?;
        Ok(counters(&self.space)?)
    }

    /// What a thread has hashed since the start.
    fn own_digest(&mut self) -> Result<Digest, AttestError> {
        let step = |source| AttestError::Step { step: "hash bottle's own program", source };
        let thread = self.program_digest.take().ok_or_else(|| step(io::ErrorKind::NotFound.into()))?;
        thread.join().map_err(|_| step(io::Error::other("the hashing thread broke")))?.map_err(step)
    }

    async fn held(&self) -> Result<Held, AttestError> {
        let (message, descriptors) = self.hear_init().await?;
        let FromInit::Held { executable, wall } = message else { return Err(unexpected()) };
        Held::new(executable, wall, descriptors).map_err(AttestError::Silent)
    }

    async fn hear_init(&self) -> Result<(FromInit, Vec<OwnedFd>), AttestError> {
        let received = tokio::time::timeout(PATIENCE, self.init.channel.recv()).await;
        match received.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok((FromInit::Failed(failure), _)) => Err(failure.into()),
            other => other.map_err(|error| self.starved().map_or(AttestError::Silent(error), AttestError::Init)),
        }
    }

    /// Why init is gone, where the kernel had no memory for it.
    fn starved(&self) -> Option<Failure> {
        self.group.as_ref().filter(|group| group.was_starved()).map(|_| Failure {
            code: 125,
            what: "out of memory before the command was started: the kernel killed bottle's own part of it".into(),
            hint: Some("give more with --memory: 32m is enough to start".into()),
        })
    }

    /// Whether nothing happened to the namespaces since they were surveyed.
    pub(crate) fn unchanged(&self) -> Result<(), AttestError> {
        let mut changes = self.space.watches.drain(&Layout::default());
        changes.extend(self.space.sysctls.iter().filter_map(altered));
        if !changes.is_empty() {
            return Err(AttestError::Changed(changes));
        }
        if generations(&self.space)? != self.state.generations() {
            return Err(AttestError::Generation);
        }
        Ok(())
    }
}

/// Demands that the namespaces hold what they must. Returns the facts so far.
fn examined(state: &Survey, ports: Ports) -> Result<facts::Facts, AttestError> {
    conforms(state, &Layout::default()).map_err(AttestError::Deviates)?;
    facts::known(state, ports).map_err(|source| AttestError::Step { step: FACTS, source })
}

/// The kernel announces few settings.
fn altered(sysctl: &Sysctl) -> Option<Change> {
    let now = sysctl.deviation()?;
    Some(Change { side: sysctl.side, kind: Kind::Setting, what: format!("/proc/sys/{} is {now}", sysctl.path) })
}

fn unexpected() -> AttestError {
    AttestError::Silent(io::ErrorKind::InvalidData.into())
}

/// Every probe that must be, in its order, with what it must have seen.
fn require(stage: &'static str, expected: &[ProbeResult], observed: &[ProbeResult]) -> Result<(), AttestError> {
    for (at, must) in expected.iter().enumerate() {
        let saw = observed.get(at).filter(|saw| saw.name == must.name).map_or("nothing", |saw| saw.observed.as_str());
        if saw != must.observed {
            let (name, observed, expected) = (must.name.clone(), saw.to_owned(), must.observed.clone());
            return Err(AttestError::Probe { name, stage, observed, expected });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saw(name: &str, observed: &str) -> ProbeResult {
        ProbeResult { name: name.into(), observed: observed.into() }
    }

    #[test]
    fn a_missing_renamed_or_different_probe_is_not_accepted() {
        let must = [saw("tcp-v4", "reset"), saw("udp-v4", "refused")];
        assert!(require("", &must, &must).is_ok());
        assert!(require("", &must, &must[..1]).is_err());
        assert!(require("", &must, &[saw("tcp-v4", "reset"), saw("udp-v6", "refused")]).is_err());
        assert!(require("", &must, &[saw("tcp-v4", "silence"), saw("udp-v4", "refused")]).is_err());
    }
}
