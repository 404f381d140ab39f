//! Which runs are there, and how are they? A directory for each, and a lock that the kernel lets go of with its supervisor.
//!
//! `run.json` says what a run is and `exit.json` how it ended, each written whole or not at all. Whether it lives is judged by
//! its lock alone, never by a process id: whatever ends the supervisor, the end of the machine too, lets go of the lock.
//! Evidence lies elsewhere and is never touched here.

mod living;
mod name;
mod own;
mod record;
mod shelf;

pub use living::{LivingError, boot};
pub use name::{Name, NameError};
pub(crate) use own::Own;
pub use record::{Afterwards, End, Record, Running};
pub use shelf::{Condition, FindError, Known, RemoveError, Shelf, ShelfError};
