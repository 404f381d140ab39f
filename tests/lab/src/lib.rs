//! A sealed lab: namespaces that play the host and the internet, so that nothing outside the machine is ever addressed.
//!
//! [`Lab::start`] makes the world, [`Lab::command`] runs a program on its "host", and [`Lab::packets`],
//! [`Lab::dns_queries`] and [`Lab::received`] tell what the world saw of it.

mod error;
mod lab;
mod options;
mod require;

pub mod account;
pub mod addresses;
pub mod answer;
pub mod capture;
pub mod elf;
pub mod helper;
pub mod journal;

mod executables;
mod internet;
mod protocol;
mod sys;
mod world;

pub use answer::{Answer, Zone};
pub use capture::packet::{Packet, Transport};
pub use error::LabError;
pub use helper::Helper;
pub use journal::{DnsQuery, HttpRequest, Received};
pub use lab::Lab;
pub use options::Options;
pub use require::require;
