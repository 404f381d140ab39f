//! Does the role `init` keep what it promises? As root and as an ordinary user, in namespaces without links.

#[path = "../harness/mod.rs"]
mod harness;
mod supervisor;

mod exits;
mod files;
mod isolation;
mod lifetime;
mod program;

fn main() {
    bottle_runtime::dispatch();
    harness::main(&[exits::CLAIMS, isolation::CLAIMS, files::CLAIMS, lifetime::CLAIMS, program::CLAIMS].concat());
}
