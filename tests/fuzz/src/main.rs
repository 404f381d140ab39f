//! Which input breaks a reader? libFuzzer looks for one, guided by what each input reaches in the code.
//!
//! `BOTTLE_FUZZ_TARGET` names the target; the arguments are libFuzzer's.

#![no_main]

use std::sync::LazyLock;

use bottle_fuzz::{TARGETS, Target};
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let wanted = std::env::var("BOTTLE_FUZZ_TARGET").unwrap_or_default();
    let named = TARGETS.iter().find(|target| target.name == wanted);
    named.unwrap_or_else(|| panic!("BOTTLE_FUZZ_TARGET={wanted}: no target of that name; see tests/fuzz/README.md"))
});

fuzz_target!(init: LazyLock::force(&TARGET), |bytes: &[u8]| {
    TARGET.judge(bytes);
});
