//! What does the builder make?

use std::fs;

use bottle_netns::conform::conforms;
use bottle_netns::survey::{Survey, survey};
use bottle_netns::{Airlock, Side, build::Owner};

use crate::harness::Test;
use crate::lab::{airlock, another, layout, owner};

pub(crate) const TESTS: &[Test] = &[
    ("what_is_built_conforms", what_is_built_conforms),
    ("two_airlocks_have_the_same_digest_and_different_cookies", alike),
    ("a_survey_survives_json", survives_json),
    ("a_closed_airlock_leaves_nothing", nothing_remains),
];

fn what_is_built_conforms() {
    let airlock = airlock();
    let survey = survey(&airlock).unwrap();
    if let Err(deviations) = conforms(&survey, &layout()) {
        panic!("{}", deviations.iter().map(|it| format!("{it}\n")).collect::<String>());
    }
    for side in Side::BOTH {
        assert_eq!(airlock.desks.of(side).netns_cookie().unwrap(), survey.of(side).identity.cookie);
    }
}

fn alike() {
    let owner = owner();
    let first = another(owner);
    let second = another(Owner::Inherited);
    let (one, other) = (survey(&first).unwrap(), survey(&second).unwrap());
    assert_eq!((&one.agent.state, &one.gate.state), (&other.agent.state, &other.gate.state));
    let mut cookies: Vec<u64> =
        [&one, &other].iter().flat_map(|it| [it.agent.identity.cookie, it.gate.identity.cookie]).collect();
    cookies.sort();
    cookies.dedup();
    assert_eq!(cookies.len(), 4);
    assert_eq!(one.agent.identity.owner, one.gate.identity.owner);
}

fn survives_json() {
    let survey = survey(&airlock()).unwrap();
    let read: Survey = serde_json::from_str(&serde_json::to_string(&survey).unwrap()).unwrap();
    assert_eq!(read, survey);
}

fn nothing_remains() {
    let before = descriptors();
    let airlock: Airlock = airlock();
    let held = descriptors();
    assert!(held > before);
    drop(airlock);
    assert_eq!(descriptors(), before);
    // No name was given to anything: what has no descriptor and no process is gone.
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains("nsfs"), "{mounts}");
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}
