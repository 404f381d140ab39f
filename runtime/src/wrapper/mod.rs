//! What does `bottle-oci` do between an engine and its runtime? It edits the configuration of a container that is to be a bottle, and
//! passes everything on.
//!
//! Told in order: an engine's [`Call`] is read as far as a container is made by it; [`crate::hook::judge`] says what becomes of the
//! container; a [`Bundle`] has its configuration, which [`edit`] changes; and [`wrapped`] is the runtime that is executed then. What goes wrong
//! before is in the engine's [`log`].

mod arguments;
mod bundle;
mod edit;
pub mod log;
mod vsock;
mod wrapped;

pub use arguments::{ArgumentsError, Call, How, LogFormat, Makes, read};
pub use bundle::{Bundle, BundleError};
pub use edit::{EditError, Hooks, Network, Vsock, closed, edit};
pub use wrapped::{WrappedError, wrapped};
