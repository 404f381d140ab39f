//! A permit never comes out of bytes.

fn read<'de, D: serde::Deserializer<'de>>(bytes: D) -> Result<bottle_proxy::Permit, D::Error> {
    serde::Deserialize::deserialize(bytes)
}

fn main() {
    let _ = read::<&mut serde_json::Deserializer<serde_json::de::StrRead<'static>>>;
}
