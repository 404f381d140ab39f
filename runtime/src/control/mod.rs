//! How does one speak with a bottle that runs? By a socket that only its supervisor's user can find, since it has no name.
//!
//! It is bound in the private run directory, opened as a mere name, and its name removed: who may look at the supervisor's
//! descriptors connects through that one. So nothing is left of it, whatever ends the supervisor.

mod client;
mod message;
mod server;

pub use client::{Line, LineError};
pub use message::Refusal;
pub(crate) use server::{Control, Demand, Means};
