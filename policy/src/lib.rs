//! Names, destinations, rules and the one function that decides. Pure: no clock, no socket, no environment.
//!
//! As written ([`document`]) → as meant ([`rules`]) → as asked ([`decide`]).

pub mod host;
pub mod name;
pub mod pattern;

pub mod document;
pub mod rules;
pub mod schema;

mod decide;
pub mod reason;
pub mod request;
pub mod verdict;
pub mod why;

pub mod addresses;
pub mod endpoints;
pub mod lease;
pub mod this_host;

pub use decide::{check_addresses, check_proxy, decide, resolvable};
pub use host::{Host, HostError};
pub use lease::Leases;
pub use name::{Name, NameError};
pub use pattern::{Pattern, PatternError};
pub use reason::Reason;
pub use request::{HttpHost, Request, Seen, Target};
pub use rules::{Mode, Rules};
pub use verdict::{Grant, Verdict};
