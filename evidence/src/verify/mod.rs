//! Does the evidence hold? Offline, given nothing but public keys and what the verifier expects.
//!
//! [`verify_attestation`] judges one attestation, [`verify_log`] a whole log, [`examine_log`] one that may still be
//! written, [`verify_segments`] and [`examine_segments`] one of several files, and [`bind`] whether the two belong together.

mod attestation;
mod refusal;

mod log;
mod report;

mod binding;

pub use crate::audit::{LogError, LogProblem};
pub use attestation::{Expect, Living, Verified, verify_attestation};
pub use binding::{BindingError, bind};
pub(crate) use log::examine_run;
pub use log::{examine_log, examine_segments, verify_log, verify_segments};
pub use refusal::{Refusal, VerifyError};
pub use report::{Completeness, Head, LogReport, Named, Renewal, RunReport, Tear};
