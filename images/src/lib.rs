//! What an image name means: a root file system as a mount plan, mounting nothing.
//!
//! [`ImageRef::parse`] reads the name, [`resolve`] looks at the host and says what goes where ([`MountPlan`]).
//! [`contains`] tells whether a path lies in what the workload can write, [`changed`] which files that the host
//! would execute later differ after a run.

mod context;
mod reference;
mod volume;

mod plan;
mod resolve;

mod directory;
mod environment;
mod etc;
mod host;
mod obeyed;
mod repository;
mod share;
mod toolchain;
mod volumes;

mod plain_file;
mod route;
mod scan;

pub mod changed;
pub mod contains;
pub mod mountinfo;
pub mod settings;

pub use context::Context;
pub use plan::{Access, Kind, Mount, MountPlan, Owner, Root, User};
pub use reference::{ImageRef, ImageRefError};
pub use resolve::{ResolveError, resolve};
pub use volume::{Volume, VolumeError};
