//! What can a gate or a dialler do that somebody else controls? The real, confined processes of a running bottle, made to attack; judged from outside.

#![allow(unreachable_pub, reason = "a test binary exports nothing; pub means visible in all of it")]

#[path = "../lab_life/ground.rs"]
mod ground;

use ground::{host, running, world};

mod calls;
mod machine;
mod puppet;
mod scene;
mod talk;

mod dialler;
mod forged;
mod gate;
mod held;
mod published;
