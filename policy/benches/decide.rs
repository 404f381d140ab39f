//! How long does a decision take at 100,000 rules?
fn main() {
    divan::main();
}
