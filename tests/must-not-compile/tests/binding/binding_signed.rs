//! The one constructor of a binding belongs to the attestation.

fn main() {
    let _ = bottle_runtime::attest::Binding::sign;
}
