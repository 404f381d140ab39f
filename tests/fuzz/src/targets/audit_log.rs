//! Does a log verify only as it was written, and does taking one up keep all that verifies?

use bottle_evidence::audit::recover;
use bottle_evidence::verify::{examine_log, verify_log};

use super::Reading;
use crate::targets::keys::{pair, trusted};

/// Logs that the key signed. Nobody else can make one, and no part of one is whole.
const WRITTEN: [&[u8]; 2] =
    [include_bytes!("../../corpus/audit_log/one_run"), include_bytes!("../../corpus/audit_log/two_runs")];

pub(super) fn read(bytes: &[u8]) -> Reading {
    let keys = trusted(&pair());
    let whole = verify_log(bytes, &keys, None);
    if let Err(error) = &whole {
        assert!(error.to_string().chars().all(|c| !c.is_control()), "{error:?}");
    }
    assert!(whole.is_err() || WRITTEN.iter().any(|log| log.starts_with(bytes)), "a log that nobody wrote");
    let recovered = recover(bytes, &keys);
    if let Ok(recovered) = &recovered {
        assert_eq!(recovered.keep + recovered.torn, bytes.len() as u64);
        assert!(recovered.keep == 0 || examine_log(&bytes[..recovered.keep as usize], &keys, None).is_ok());
        assert!(
            recovered.mark.is_some() || bytes.is_empty() || whole.is_ok(),
            "nothing to say of a log that is not whole"
        );
    }
    assert!(whole.is_err() || recovered.is_ok_and(|recovered| recovered.mark.is_none()));
    whole.is_ok().into()
}
