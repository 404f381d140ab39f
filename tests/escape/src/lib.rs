//! What gets out of a sandbox? Attempts are made inside it, and judged by what arrives outside.
//!
//! Inside: [`catalogue`] lists what there is to try ([`attempt`]s in code, cases of the [`corpus`]), [`run`] makes each in a
//! process of its own and prints what the kernel said. Outside: [`stage`] sets up the host's canaries around a sandbox,
//! [`judge`] looks for the attempts' [`token`]s in all that was seen, and [`audit`] asks whether bottle noticed.

pub mod attempt;
pub mod catalogue;
pub mod corpus;
pub mod field;
pub mod surface;
pub mod token;
pub mod tried;

mod attempts;
mod family;
mod hello;
mod ipc;
mod link;
mod machine;
mod netlink;
mod packet;
mod query;
mod steps;
mod sys;
mod text;
mod uring;
mod wire;

pub mod neighbour;
pub mod pulse;
pub mod run;
pub mod say;
pub mod stage;

pub mod audit;
pub mod judge;
pub mod table;
