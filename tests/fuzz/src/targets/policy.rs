//! Does a policy either mean something that keeps, or have an error that can be shown?

use bottle_policy::Rules;

use super::Reading;
use crate::pieces;

pub(super) fn read(bytes: &[u8]) -> Reading {
    let Some(text) = pieces::text(bytes) else { return Reading::Refused };
    match Rules::from_text(text, "policy.yaml") {
        Ok(rules) => {
            let again = Rules::from_canonical(&rules.to_canonical()).expect("what was written is read");
            assert_eq!(rules.digest(), again.digest());
            assert_eq!(rules.to_canonical(), again.to_canonical());
            let twice = rules.clone().unite(again).expect("one mode");
            assert_eq!(rules.digest(), twice.digest(), "repetition changes the meaning");
            Reading::Accepted
        }
        Err(error) => {
            let shown = error.to_string();
            assert!(shown.starts_with("policy.yaml:"), "no place: {shown}");
            assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "control characters: {shown:?}");
            Reading::Refused
        }
    }
}
