//! Does each confinement refuse what it must and allow what is needed, and does a role begin with nothing else?
//! Needs python3, node, bash, git and cargo.

#[path = "../harness/mod.rs"]
mod harness;
mod sys;

mod helpers;
mod roles;
mod workload;

fn main() {
    bottle_runtime::dispatch();
    let of_root = if rustix::process::geteuid().is_root() { workload::ROOT_CLAIMS } else { &[] };
    harness::main(&[workload::CLAIMS, helpers::CLAIMS, roles::CLAIMS, of_root].concat());
}
