//! Whatever breaks under a bottle, what is left of it? A table of faults, each followed by the same look at the aftermath; see `tests/faults`.

#![allow(unreachable_pub, reason = "a test binary exports nothing; pub means visible in all of it")]

#[path = "../lab_life/ground.rs"]
mod ground;

use ground::{host, running, world};

#[path = "../lab_life/remains.rs"]
#[allow(dead_code, reason = "shared with the tests of a bottle's life, which use the rest")]
mod remains;
#[path = "../lab_life/side.rs"]
mod side;

mod aftermath;
mod family;
mod kernel;
mod moments;
mod scene;

mod changed;
mod clock;
mod disk;
mod exhausted;
mod killed;
mod limited;
mod order;
mod owner;
mod stopped;
mod upstream;

mod healthy;
mod load;
