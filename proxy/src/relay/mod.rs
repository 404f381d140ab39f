//! How do bytes go from one socket to the other, both ways, until both ends are done?

mod copy;
mod join;
mod pipes;

pub use copy::{Flow, read_some, write_all};
pub use join::{End, Idle, Stop, Traffic, join};
pub use pipes::{Pipes, PipesError};
