//! A running workload can't be made of another one.

fn forge(other: bottle_runtime::workload::Workload) -> bottle_runtime::workload::Workload {
    bottle_runtime::workload::Workload { ..other }
}

fn main() {
    let _ = forge;
}
