//! Does each confinement refuse what it must and allow what is needed? Needs python3, node, bash, git and cargo.

#[path = "../harness/mod.rs"]
mod harness;
mod sys;

mod helpers;
mod workload;

fn main() {
    let of_root = if rustix::process::geteuid().is_root() { workload::ROOT_CLAIMS } else { &[] };
    harness::main(&[workload::CLAIMS, helpers::CLAIMS, of_root].concat());
}
