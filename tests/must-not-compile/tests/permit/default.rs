//! There is no permit without a record.

fn main() {
    let _: bottle_proxy::Permit = Default::default();
}
