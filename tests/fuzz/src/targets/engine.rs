//! Does what an engine says of a container ever become more than it says? Its state, and the configuration in its bundle.

use std::path::Path;

use bottle_runtime::hook::{Configuration, Exception, Settings, State, Wanted, refusals, wanted};

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
    (state.is_some() || configuration.is_some()).into()
}

/// Without settings nothing is let pass, and no annotation widens what may be reached.
fn judge(configuration: &Configuration) {
    let settings = Settings::default();
    let (refused, passed) = refusals(configuration, &settings, Path::new("/nowhere/bottle"));
    assert_eq!(passed, Vec::<Exception>::new());
    assert!(!refused.is_empty(), "a container without our hook");
    if let Ok(Wanted::Bottled { rules, .. }) = wanted(configuration, &settings) {
        assert_eq!(rules.digest(), bottle_policy::Rules::deny_all().digest());
    }
}
