//! What does a kubelet ask of a container runtime? The part of CRI version 1 that tests speak, and what they do with a pod.
//!
//! Whatever goes otherwise than a kubelet may expect is a panic.

mod message;
mod pod;
mod streams;

pub use message::*;
pub use pod::{IMAGE, Pod, Powers, USERS_IMAGE, Wanted, shown};
pub use streams::{Attached, Heard};
