//! A binding's fields are private.

fn forge(airlock: bottle_runtime::airlock::Airlock) -> bottle_runtime::attest::Binding {
    bottle_runtime::attest::Binding { airlock, held: panic!() }
}

fn main() {
    let _ = forge;
}
