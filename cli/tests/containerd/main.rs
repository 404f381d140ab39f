//! Does an airlock hold where others start containers as the examples say? Around pods of containerd's, asked as a kubelet asks, dev
//! containers and jobs, in the sealed lab; see `tests/run`.

#![allow(unreachable_pub, reason = "a test binary exports nothing; pub means visible in all of it")]

#[path = "../lab_life/host.rs"]
#[allow(dead_code, reason = "shared with the tests of a bottle's life, which use the rest")]
mod host;
#[path = "../lab_life/running.rs"]
#[allow(dead_code, reason = "shared with the tests of a bottle's life, which use the rest")]
mod running;
#[path = "../lab_life/world.rs"]
#[allow(dead_code, reason = "shared with the tests of a bottle's life, which use the rest")]
mod world;

mod cri;
mod machine;
mod manifest;
mod node;
mod pod;
mod streams;

mod ci;
mod devcontainer;
mod manifests;
mod pods;
