//! What does the builder make?

use bottle_netns::Layout;
use bottle_netns::conform::conforms;
use bottle_netns::survey::survey;

use crate::harness::Test;
use crate::lab::airlock;

pub(crate) const TESTS: &[Test] = &[("what_is_built_conforms", what_is_built_conforms)];

fn what_is_built_conforms() {
    let airlock = airlock();
    let survey = survey(&airlock).unwrap();
    if let Err(deviations) = conforms(&survey, &Layout::default()) {
        panic!("{}", deviations.iter().map(|it| format!("{it}\n")).collect::<String>());
    }
}
