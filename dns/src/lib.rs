//! The DNS sinkhole: every query of the workload ends here, and not one leaves.
//!
//! A query's bytes are parsed (`request`), the name in it is told apart (`asked`), what is known of it becomes an
//! outcome (`outcome`) by asking the policy and the leases (`book`), and that is written as an answer (`response`).
//! [`Sinkhole`] joins them without any I/O; [`serve_udp`] and [`serve_tcp`] do the I/O on sockets that they are handed.

mod sinkhole;

mod asked;
mod book;
mod limits;
mod outcome;
mod request;
mod response;

mod denials;
mod repeats;

mod serve_error;
mod sys;
mod tcp;
mod udp;

pub use denials::Denials;
pub use limits::{Limits, Transport};
pub use repeats::{Noted, Repeated, Repeats, Tally};
pub use serve_error::ServeError;
pub use sinkhole::Sinkhole;
pub use tcp::serve_tcp;
pub use udp::serve_udp;

#[cfg(test)]
mod tests;
