//! What is written while a run lasts? A chain of lines: each names the hash of the one before, seals sign for them.
//!
//! [`Chain`] is a state machine without I/O: it turns entries into the exact bytes to append, and refuses whatever a
//! verifier would refuse. [`recover`] takes a log up again whose writer died. Which entry may follow which is said
//! once, in `order`, for the writer and the verifier.
//!
//! ```
//! use bottle_evidence::audit::{Chain, Ending, Entry, RunStart, Workload};
//! use bottle_evidence::{Time, key::SigningKey, predicate::Mode, sha256, verify::verify_log};
//!
//! let key = SigningKey::generate()?;
//! let now = || Time::from(std::time::SystemTime::now());
//! let (mut chain, mut log) = (Chain::new(), Vec::new());
//! let start = RunStart {
//!     run: "run-1".into(),
//!     attestation: sha256(b"the envelope's bytes"),
//!     workload: Workload { pid: 4242, start: 987_654 },
//!     command: vec!["true".into()],
//!     mode: Mode::Enforce,
//!     policy: sha256(b"the policy in force"),
//! };
//! log.extend(chain.append(now(), &Entry::RunStart(start))?);
//! let ending = Ending { exit: 0, reason: None, millis: 3, refused: Default::default() };
//! log.extend(chain.end(now(), ending)?.1);
//! log.extend(chain.seal(now(), &key)?);
//!
//! let report = verify_log(&log[..], &[key.public().clone()], None)?;
//! assert_eq!(report.runs[0].entries, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attempt;
mod chain;
mod entry;
mod inbound;
mod line;
mod misplaced;
mod opened;
mod order;
mod problem;
mod recover;
mod seal;
mod spans;
mod summary;
mod walk;

pub use attempt::{Choice, Decision, Ended, Known, Outcome, Process, Seen, Unknown};
pub use chain::{AppendError, Chain, Ending};
pub use entry::{
    DnsDenied, Drift, Entry, HostRow, Refused, RunEnd, RunExec, RunRenew, RunStart, Seal, Segment, Torn, Workload,
};
pub use inbound::{Inbound, InboundOutcome, InboundRow};
pub use line::{Line, MAX_LINE};
pub use misplaced::OrderError;
pub use opened::Opened;
pub use problem::{LogError, LogProblem};
pub use recover::{Recovered, recover, recover_segments};
pub use seal::DOMAIN as SEAL_DOMAIN;
pub use summary::{MAX_HOSTS, OTHERS, Summary};

pub(crate) use inbound::InboundSummary;
pub(crate) use order::OpenRun;
pub(crate) use walk::{Piece, Step, Walk, next_piece};
