//! Do images come out of registries, layouts and archives as other tools make them? Real tools, a real registry; see `tests/run`.

#![allow(unreachable_pub, reason = "a test binary exports nothing; pub means visible in all of it")]

mod made;
mod place;
mod server;
mod tree;

mod compare;
mod load;
mod packaged;
mod pull;
mod secure;
mod store;
