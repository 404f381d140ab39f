//! Are rules that another process sends held to what a policy file is held to?

use bottle_policy::Rules;

use super::Reading;
use crate::pieces;

pub(super) fn read(bytes: &[u8]) -> Reading {
    let Some(Ok(rules)) = pieces::text(bytes).map(Rules::from_canonical) else { return Reading::Refused };
    let again = Rules::from_canonical(&rules.to_canonical()).expect("what was written is read");
    assert_eq!((rules.mode(), rules.digest()), (again.mode(), again.digest()));
    assert_eq!(rules.domains(), again.domains());
    assert_eq!(rules.ranges(), again.ranges());
    Reading::Accepted
}
