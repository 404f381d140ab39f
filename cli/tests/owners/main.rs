//! Do files belong to whom one expects? For root, for an ordinary user with a range of subordinate ids, and for one without.
//!
//! Without a lab of its own: an ordinary user's lab is a user namespace, in which newuidmap(1) has no power.

#![allow(unreachable_pub, reason = "a test binary exports nothing; pub means visible in all of it")]

mod place;

mod attested;
mod closed_in;
mod entered;
mod files;
mod interrupted;
mod kept;
mod refused;
mod removed;
mod shared;
