//! Does the evidence hold? Offline, given nothing but public keys and what the verifier expects.

mod attestation;
mod binding;
mod log;

pub use crate::audit::{LogError, LogProblem};
pub use attestation::{Expect, Verified, VerifyError, verify_attestation};
pub use binding::{BindingError, bind};
pub use log::{Completeness, Head, LogReport, RunReport, Tear, examine_log, verify_log};
