//! Does an airlock hold around containers that engines start? runc with bottle's hooks in the sealed lab; see `tests/run`.

#![allow(unreachable_pub, reason = "a test binary exports nothing; pub means visible in all of it")]

#[path = "../lab_life/ground.rs"]
mod ground;

use ground::{host, running, world};

mod bundle;
mod columns;
mod scene;

mod conformed;
mod faults;
mod hostile;
mod installed;
mod life;
mod many;
mod mounted;
mod others;
mod podman;
mod reached;
mod redacted;
mod refused;
mod renewed;
mod scanned;
mod vsock;
mod wrapped;
