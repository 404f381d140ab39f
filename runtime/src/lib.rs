//! The five stages of a bottle: plan, airlock, binding, workload, outcome.
//!
//! ```text
//! Plan ──realize──► Airlock ──attest──► Binding ──start──► Workload ──wait──► Outcome
//! ```
//!
//! Each stage consumes the one before. [`run()`] goes through all of them, and [`Bottle`] is the short way to it. A program that
//! uses this crate calls [`dispatch`] first in `main`: every process of a bottle is that program, executed again in a role.

pub mod adopt;
pub mod bottle;
pub mod caller;
pub mod descriptors;
pub mod event;
mod head_start;
pub mod options;
mod plan_error;
pub mod policy_file;
pub mod publish;
mod realize_error;
mod run;
mod started;
mod workload_error;

pub mod airlock;
pub mod attest;
pub mod outcome;
pub mod plan;
pub mod workload;

pub mod builder;
pub mod dialler;
pub mod gate;
pub mod init;
pub mod roles;
pub mod supervisor;

pub mod confine;
pub mod probe;

pub mod async_channel;
pub mod bounded;
pub mod cgroups;
pub mod channel;
pub mod control;
pub mod exec;
pub mod heartbeat;
pub mod hook;
pub mod ids;
pub mod kept;
pub mod keys;
pub mod log;
pub mod nested;
pub mod process;
pub mod prune;
pub mod records;
pub(crate) mod renew;
pub mod report;
pub mod segments;
pub mod signal;
pub mod state;
pub mod subordinate;
pub mod sys;
pub mod tpm;
pub mod ulimit;
pub mod wrapper;

mod attendants;
mod changes;
mod clock;
mod closing;
mod digest;
mod durable;
mod ended;
mod judged;
mod limit;
mod memory;
mod patience;
mod remembered;
mod secrets;
mod tether;
mod thread;
mod waiting;
mod whole;
mod whose;

pub use bottle::{Bottle, BottleError, Captured};
pub use bottle_proxy::{UpstreamProxy, UpstreamProxyError};
pub use caller::Caller;
pub use event::Event;
pub use head_start::{Expecting, HeadStart};
pub use judged::replaceable;
pub use options::RunOptions;
pub use outcome::{Outcome, Status};
pub use plan::Plan;
pub use publish::{Publish, PublishError, Published};
pub use roles::dispatch;
pub use run::{RunError, run, run_ahead};
