//! Can a permit come from anywhere but the record?

#[test]
fn a_permit_cannot_be_constructed_cloned_or_deserialised() {
    trybuild::TestCases::new().compile_fail("tests/must_not_compile/*.rs");
}
