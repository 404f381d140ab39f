//! Does the built command say, print and exit as its help says? Nothing here needs a privilege, or a network beyond what it makes itself.

#![allow(unreachable_pub, reason = "a test binary exports nothing; pub means visible in all of it")]

mod attest;
mod audit;
mod audit_tail;
mod bad_files;
mod demo;
mod doctor;
mod image;
mod place;
mod policy;
mod presets;
mod progress;
mod registry;
mod run;
mod unread;
mod usage;
mod why;
