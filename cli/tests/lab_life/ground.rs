//! What do other programs of tests stand on? What those of a bottle's life do: each uses a part of it.

#![allow(dead_code, reason = "shared by several programs, of which each uses a part")]

pub mod host;
pub mod running;
pub mod world;
