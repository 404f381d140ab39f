//! Which limits does the workload start with?

use rustix::process::{Resource, Rlimit, setrlimit};

use super::{ConfineError, at};

/// No core dumps: one byte, not zero, since a host's helper at the other end of a pipe is started even for zero.
/// The others stay as the caller has them: a hard limit may be one that nobody here can raise.
pub(super) fn set() -> Result<(), ConfineError> {
    let one = Rlimit { current: Some(1), maximum: Some(1) };
    setrlimit(Resource::Core, one).map_err(at("limit core dumps"))
}
