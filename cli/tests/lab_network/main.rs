//! What can a program in a bottle reach, and what leaves the host for it? The built command in the sealed lab; see `tests/run`.

#![allow(unreachable_pub, reason = "a test binary exports nothing; pub means visible in all of it")]

mod addresses;
mod agent;
mod bulk;
mod clients;
mod denied;
mod kept_secret;
mod log;
mod loopback;
mod names;
mod observe;
mod packages;
mod presets;
mod proxy;
mod record;
mod server_first;
mod sinkhole;
mod transparent;
mod upstream_proxy;
mod who;
mod wire;
mod world;
