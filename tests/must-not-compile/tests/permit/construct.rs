//! A permit has no public fields and no constructor.

fn forge(attempt: bottle_proxy::Attempt, grant: bottle_policy::Grant) -> bottle_proxy::Permit {
    bottle_proxy::Permit { attempt, grant }
}

fn main() {
    let _ = forge;
}
