//! A permit has no public fields and no constructor.

fn forge(attempt: bottle_proxy::Attempt) -> bottle_proxy::Permit {
    bottle_proxy::Permit { attempt }
}

fn main() {
    let _ = forge;
}
