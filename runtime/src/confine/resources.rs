//! Which resource limits does the workload start with?

use rustix::process::{Resource, Rlimit, setrlimit};

use super::{ConfineError, at};

/// A core limit of 1 byte: 0 would still run a pipe handler of core_pattern, in the host's namespaces.
pub(super) fn limit() -> Result<(), ConfineError> {
    let one = Rlimit { current: Some(1), maximum: Some(1) };
    setrlimit(Resource::Core, one).map_err(at("limit core dumps"))
}
