//! A binding can't be read from anywhere.

fn main() {
    let _ = serde_json::from_str::<bottle_runtime::attest::Binding>("{}");
}
