//! Are manifests, indexes and configurations within their limits, and is a configuration one that a process can be given?

use bottle_images::fuzz::{config, manifest};
use bottle_images::limits;

use super::Reading;

/// Up to the first NUL the one, behind it the other.
pub(super) fn read(bytes: &[u8]) -> Reading {
    let (first, second) = bytes.split_at(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()));
    let found = manifest(first);
    let second = second.strip_prefix(b"\0").unwrap_or_default();
    let configured = (0..4).find_map(|layers| config(second, layers));
    if let Some(configured) = &configured {
        let words =
            configured.entrypoint.iter().chain(&configured.cmd).chain([&configured.user, &configured.working_dir]);
        let variables = configured.env.iter().flat_map(|(name, value)| [name, value]);
        assert!(words.chain(variables).all(|word| !word.contains('\0')), "{configured:?}");
        assert!(configured.env.iter().all(|(name, _)| !name.is_empty() && !name.contains('=')), "{configured:?}");
    }
    assert!(found.is_none_or(|count| count <= limits::LAYERS || count <= first.len()), "{found:?}");
    (found.is_some() || configured.is_some()).into()
}
