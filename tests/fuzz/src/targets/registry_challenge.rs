//! Is what a registry's challenge asks for the same when it is written again?

use bottle_images::fuzz::challenge;

use super::Reading;
use crate::pieces;

pub(super) fn read(bytes: &[u8]) -> Reading {
    let asked = pieces::text(bytes).and_then(challenge);
    if let Some(parameters) = asked.as_deref().filter(|parameters| !parameters.is_empty()) {
        let names = ["realm", "service", "scope"];
        let written = names.iter().zip(parameters).filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let written: Vec<String> = written.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        assert_eq!(challenge(&format!("Bearer {}", written.join(", "))).as_deref(), Some(parameters), "{written:?}");
    }
    asked.is_some().into()
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}
