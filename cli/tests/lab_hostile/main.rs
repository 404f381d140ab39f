//! What can a hostile program do from inside a bottle to those outside? Attacks that once succeeded, and their kin.

#![allow(unreachable_pub, reason = "a test binary exports nothing; pub means visible in all of it")]

mod kernel;
mod outside;
mod victim;
