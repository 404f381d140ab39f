//! Does an airlock hold where others start containers as the examples say? Around pods of containerd's, asked as a kubelet asks, containers
//! of Docker's, dev containers and jobs, in the sealed lab; see `tests/run`.

#![allow(unreachable_pub, reason = "a test binary exports nothing; pub means visible in all of it")]

#[path = "../lab_life/ground.rs"]
mod ground;

use ground::{host, running, world};

mod daemon;
mod machine;
mod manifest;
mod node;

mod ci;
mod devcontainer;
mod docker;
mod drift;
mod kubelet;
mod manifests;
mod pods;
