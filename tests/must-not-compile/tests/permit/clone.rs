//! A permit is used once.

fn twice(permit: &bottle_proxy::Permit) -> bottle_proxy::Permit {
    permit.clone()
}

fn main() {
    let _ = twice;
}
