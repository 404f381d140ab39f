//! The supervisor: holds the key, keeps the log, watches, kills. It reads nothing but fixed-schema records.

mod allowance;
mod entries;
pub mod ledger;
mod ledger_error;
mod log_files;
mod log_writer;
#[cfg(test)]
mod power_loss_disk;
#[cfg(test)]
mod power_loss_tests;
#[cfg(test)]
mod recorded;
pub mod recorder;
pub mod recording;
pub(crate) mod redacted;
#[cfg(test)]
mod run_start;
mod told;
pub mod who;

pub mod gate_link;
pub(crate) mod inbound;
pub mod watch;

mod end_of_input;
pub mod signals;
pub mod stdio;
pub(crate) mod taken;
pub mod terminal;
