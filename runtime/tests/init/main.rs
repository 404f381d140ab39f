//! Does the role `init` keep what it promises? As root and as an ordinary user, in namespaces without links.

#[path = "../harness/mod.rs"]
mod harness;
mod supervisor;

mod exits;

fn main() {
    harness::main(&[exits::CLAIMS].concat());
}
