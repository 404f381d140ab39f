//! Can a workload start without a binding, or a binding come from anywhere but the attestation?

#[test]
fn a_workload_needs_a_binding_and_only_attestation_makes_one() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
