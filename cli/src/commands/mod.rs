//! The verbs, one file each.

pub mod attest;
pub mod audit;
pub mod demo;
pub mod doctor;
pub mod policy;
pub mod run;
pub mod why;
