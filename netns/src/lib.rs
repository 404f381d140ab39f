//! Namespaces, the veth pair, the ruleset, its read-back and its notifications.
//!
//! Told in order: [`layout`] fixes the names and addresses of every bottle; [`enter`] makes the
//! namespaces, [`build`] fills them, with the packet rules of [`ruleset`] put into the kernel by
//! [`encode`]; what comes out is an [`airlock`], a set of descriptors. [`survey`] reads everything back
//! and [`conform`] judges it; [`watch`] hears what changes later; [`class`], [`counters`] and
//! [`nflog`] say what was refused, and [`connections`] whose a connection is.
//!
//! Nothing here knows a name or a policy, and nothing here is asynchronous or spawns.

pub mod layout;

pub mod enter;

pub mod adopt;
pub mod build;
mod build_error;
pub mod held;
mod links;
mod sockets;
mod sysctl;

pub mod class;
pub mod ruleset;

pub mod encode;

pub mod airlock;
pub mod connections;
mod filter;
mod flatten;

pub mod conform;
pub mod counters;
pub mod survey;

pub mod nflog;

mod announced;
pub mod watch;

mod wire;

#[cfg(feature = "fuzz")]
pub mod fuzz;

mod sys;

pub use airlock::{Airlock, AirlockIndex, Desk, Desks, Listeners, Sysctl, Watches, namespace_of};
pub use connections::Connections;
pub use layout::{Layout, Side};
