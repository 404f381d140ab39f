//! How much of the machine may a workload use altogether? What control groups bound: memory, processor time, processes.
//!
//! A run that asks for a limit gets a group in each hierarchy that it takes, below or beside the group in which bottle
//! itself is. Init enters it before it does anything, and with it all that is ever in the bottle; gate and dialler stay
//! where they are. Without a limit nothing is looked at and nothing is made.

mod asked;
mod controller;
mod place;

mod group;
mod parts;
mod settings;
mod tree;

mod remains;
mod trial;

#[cfg(test)]
mod model;

pub use asked::{Amount, Cpus, Limits, Memory, Processes, bytes};
pub use controller::Controller;
pub use parts::LimitError;
pub use trial::attempt;

pub(crate) use group::Group;
pub(crate) use place::Seen;
pub(crate) use remains::{RemainsError, sweep};
