//! The verbs, one file each.

pub mod apart;
pub mod attest;
pub mod audit;
pub mod bottles;
pub mod demo;
pub mod doctor;
pub mod hook;
pub mod image;
pub mod keep;
pub mod policy;
pub mod presets;
pub mod run;
pub mod why;
pub mod wrapper;
