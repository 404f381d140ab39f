//! How does another process come into a bottle that runs? Through the same binding, under the same confinement, never a wider one.
//!
//! A client asks by the control socket and brings its pipes. The supervisor writes it into the log, then executes this program in
//! a role, from the same read-only mount as init. That process enters init's namespaces and forks a sibling there, which
//! does what the first process did before its execve(2), by the same functions. The supervisor measures it while it stands
//! there and demands that it is what the first one was; only then is it released.
//!
//! The entering process itself is in no pid namespace of the bottle's, so that nobody inside sees it; its sibling can't be looked
//! into or traced from inside as long as it has any privilege.

mod check;
mod client;
mod entrance;
mod held;
mod message;
mod role;
mod session;

pub use client::{ExecError, ExecOptions, exec};
pub(crate) use entrance::{Entrance, First};
pub(crate) use message::ExecRequest;
pub(crate) use role::main;
pub(crate) use session::{refuse, serve};
