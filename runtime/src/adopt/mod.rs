//! How does a container that an engine has made come behind an airlock? Its network namespace becomes the agent's, before the
//! engine lets its first process go on.
//!
//! The stages are those of every bottle. What differs: the builder enters a namespace instead of making one, where init would
//! stand stands a *warden*, who makes the probes and tells of the end, what the engine will still do to the first process is
//! asserted, not measured, and a *keeper* ends the container should its supervisor be gone. Containers that join it later are its
//! *members*, and end with it.

mod adoption;
mod container;
pub(crate) mod keeper;
mod made;
pub(crate) mod members;
mod program;
mod run;
pub(crate) mod warden;

pub use adoption::Adoption;
pub(crate) use adoption::{Adopted, EngineWord};
pub use container::{Container, HoldError};
pub use keeper::KeeperError;
pub use made::Made;
pub use members::{FollowError, follow};
pub use program::{FindError, InsideFile};
pub(crate) use program::{HashedFile, root_of};
pub use run::adopt;
