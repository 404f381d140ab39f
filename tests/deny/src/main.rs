//! Which dependencies may this workspace have?
fn main() {}
