//! There is no binding of nothing.

fn main() {
    let _ = <bottle_runtime::attest::Binding as Default>::default();
}
