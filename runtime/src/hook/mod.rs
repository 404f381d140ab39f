//! What does an engine's hook decide? Whether a container gets an airlock, which policy, and whether one would hold.
//!
//! Told in order: the engine says of its container a [`State`], whose bundle has a [`Configuration`]; what the machine's
//! administrator wants are [`Settings`]; [`judge`] tells whether the container is [`wanted`] to be a bottle, or has [`Joined`] one
//! that there is, [`refusals`] what would make a bottle of no use (a file for each question), [`Inherited`] what it was handed open,
//! [`policies`] where its rules come from, and [`prepare`] makes an adoption of all that. A [`Claim`] keeps a second bottle from the same container.

mod annotations;
pub(crate) mod capabilities;
mod claim;
pub(crate) mod configuration;
mod devices;
pub(crate) mod filter;
pub(crate) mod guarded;
mod host;
mod inherited;
mod joined;
mod judged;
mod labels;
mod mounted;
mod mounts;
mod namespaces;
mod nodes;
mod object;
mod order;
pub mod policies;
mod prepare;
mod refusals;
pub(crate) mod seccomp;
mod settings;
mod sockets;
mod space;
mod state;
mod strict;
mod wanted;

pub use claim::{Claim, ClaimError, Ending};
pub use configuration::{Configuration, ConfigurationError};
pub use inherited::Inherited;
pub(crate) use joined::place;
pub use joined::{Joined, JoinedError, is_pod_member};
pub use judged::{Judged, JudgedError, admit, admit_files, admit_handed, judge};
pub use prepare::{PrepareError, prepare};
pub use refusals::{Refusal, refusals};
pub use settings::{Exception, PLACE, Settings, SettingsError, Unannotated};
pub use state::{State, StateError, Status};
pub use wanted::{Wanted, WantedError, wanted};
