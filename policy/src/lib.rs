//! Names, destinations, rules and the one function that decides. Pure: no clock, no socket, no environment.
//!
//! As written ([`document`]) → as meant ([`rules`]) → as asked ([`decide`]).

pub mod name;
pub mod request;
pub mod reason;
pub mod verdict;

pub use name::{Name, NameError};
pub use reason::Reason;
pub use request::{Request, Seen, Target};
pub use verdict::{Grant, Verdict};
