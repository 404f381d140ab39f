//! What is written while a run lasts? A chain of lines: each names the hash of the one before, seals sign for them.
//!
//! [`Chain`] is a state machine without I/O: it turns entries into the exact bytes to append, and refuses whatever a
//! verifier would refuse. [`recover`] takes a log up again whose writer died. Which entry may follow which is said
//! once, in `order`, for the writer and the verifier.

mod chain;
mod entry;
mod line;
mod order;
mod problem;
mod recover;
mod seal;
mod spans;
mod summary;
mod walk;

pub use chain::{AppendError, Chain, Ending};
pub use entry::{
    Choice, Decision, DnsDenied, Drift, Ended, Entry, HostRow, Known, Outcome, Process, Refused,
    RunEnd, RunStart, Seal, Seen, Torn, Unknown, Workload,
};
pub use line::{Line, MAX_LINE};
pub use order::OrderError;
pub use problem::{LogError, LogProblem};
pub use recover::{Recovered, recover};
pub use seal::DOMAIN as SEAL_DOMAIN;
pub use summary::{MAX_HOSTS, OTHERS, Summary};

pub(crate) use order::OpenRun;
pub(crate) use walk::{Piece, Step, Walk, next_piece};
