//! Does what an engine says of a container ever become more than it says? Its state, the configuration in its bundle, and the
//! arguments by which it calls a runtime.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bottle_runtime::hook::{Configuration, Exception, Settings, State, Wanted, refusals, wanted};
use bottle_runtime::wrapper::{Hooks, Network, Vsock, edit, read as arguments};

use super::Reading;

pub(super) fn read(bytes: &[u8]) -> Reading {
    let state = State::parse(bytes).ok();
    if let Some(state) = &state {
        assert!(!state.id.is_empty() && !state.id.contains('/') && state.id != "..");
        assert!(state.bundle.is_absolute());
        let again = serde_json::to_vec(state).expect("it is JSON");
        assert_eq!(State::parse(&again).ok().as_ref(), Some(state), "another state after a round");
    }
    let configuration = Configuration::parse(Path::new("/nowhere/bundle"), bytes).ok();
    if let Some(configuration) = &configuration {
        judge(configuration);
    }
    edit_twice(bytes);
    read_arguments(bytes);
    (state.is_some() || configuration.is_some()).into()
}

/// Without settings nothing is let pass, and no annotation widens what may be reached.
fn judge(configuration: &Configuration) {
    let settings = Settings::default();
    let (refused, passed) = refusals(configuration, &settings, None, None, Path::new("/nowhere/bottle"));
    assert_eq!(passed, Vec::<Exception>::new());
    assert!(!refused.is_empty(), "a container without our hook");
    if let Ok(Wanted::Bottled { rules, .. }) = wanted(configuration, &settings) {
        assert_eq!(rules.digest(), bottle_policy::Rules::deny_all().digest());
    }
}

/// What is edited by the wrapper is edited once and for all, or not at all.
fn edit_twice(bytes: &[u8]) {
    let Ok(mut once) = serde_json::from_slice::<serde_json::Value>(bytes) else { return };
    let hooks = Hooks { program: "/nowhere/bottle", settings: None, variables: &[] };
    if edit(&mut once, Network::New, Vsock::Denied, &hooks).is_ok() {
        let mut twice = once.clone();
        edit(&mut twice, Network::New, Vsock::Denied, &hooks).expect("what was edited can be edited");
        assert_eq!(once, twice, "another configuration after a second time");
        let last = once["hooks"]["createRuntime"].as_array().and_then(|all| all.last()).map(|hook| &hook["path"]);
        assert_eq!(last, Some(&serde_json::json!("/nowhere/bottle")));
    }
}

/// A container that is made is one whose bundle is known, and nothing is kept back but what is ours.
fn read_arguments(bytes: &[u8]) {
    let words: Vec<OsString> = bytes.split(|byte| *byte == 0).map(|word| OsStr::from_bytes(word).to_owned()).collect();
    if let Ok(call) = arguments(&words) {
        assert!(call.settings.is_some() || call.passed == words);
        assert!(
            call.makes.is_none()
                || call.passed.iter().any(|word| ["create", "run", "restore"].iter().any(|it| word == it))
        );
    }
}
