//! The command: parsing and reporting.
fn main() {}
