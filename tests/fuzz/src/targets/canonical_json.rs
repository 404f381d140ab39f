//! Is JSON read only in its one canonical form, which is that of another implementation?

use bottle_evidence::canonical;
use serde_json::Value;

use super::Reading;

pub(super) fn read(bytes: &[u8]) -> Reading {
    if let Ok(value) = serde_json::from_slice::<Value>(bytes)
        && let Ok(ours) = canonical::to_bytes(&value)
    {
        assert_eq!(ours, serde_json_canonicalizer::to_vec(&value).expect("JSON has a form"));
        let again: Value = canonical::read(&ours).expect("what was written is read");
        assert_eq!(canonical::to_bytes(&again).expect("it has a form"), ours);
    }
    match canonical::read::<Value>(bytes) {
        Ok(value) => {
            assert_eq!(canonical::to_bytes(&value).expect("what was read has a form"), bytes);
            Reading::Accepted
        }
        Err(error) => {
            assert!(error.to_string().chars().all(|c| !c.is_control()), "{error:?}");
            Reading::Refused
        }
    }
}
