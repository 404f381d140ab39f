//! What can a gate or a dialler do that somebody else controls? The real, confined processes of a running bottle, made to attack; judged from outside.

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
