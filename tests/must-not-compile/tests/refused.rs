//! Does the compiler refuse what the types are there to prevent? In one crate, so that dependencies are built once more, not twice.

#[test]
fn no_workload_starts_without_a_binding_and_nothing_is_dialled_without_a_permit() {
    let programs = trybuild::TestCases::new();
    programs.compile_fail("tests/binding/*.rs");
    programs.compile_fail("tests/permit/*.rs");
}
