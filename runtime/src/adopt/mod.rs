//! How does a container that an engine has made come behind an airlock? Its network namespace becomes the agent's, before the
//! engine lets its first process go on.
//!
//! The stages are those of every bottle. What differs: the builder enters a namespace instead of making one, where init would
//! stand stands a *warden*, who makes the probes and tells of the end, and what the engine will still do to the first process is
//! asserted, not measured.

mod adoption;
mod container;
mod program;
mod run;
pub(crate) mod warden;

pub use adoption::Adoption;
pub(crate) use adoption::{Adopted, EngineWord};
pub use container::{Container, HoldError};
pub use program::{FindError, InsideFile};
pub use run::adopt;
