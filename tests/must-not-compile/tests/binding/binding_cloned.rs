//! A binding starts one workload: there is no second one of it.

fn copy(binding: &bottle_runtime::attest::Binding) -> bottle_runtime::attest::Binding {
    binding.clone()
}

fn twice(binding: bottle_runtime::attest::Binding) {
    let _ = (binding.start(), binding.start());
}

fn main() {
    let _ = (copy, twice);
}
