//! How do the caller's volumes join a plan? As shared trees, after everything else.

use crate::context::Context;
use crate::mountinfo::MountPoint;
use crate::plan::{Access, MountPlan};
use crate::resolve::{ResolveError, canonical};
use crate::share;

/// Adds what `-v` names. A relative source starts from the caller's working directory.
pub(crate) fn add(plan: &mut MountPlan, context: &Context, host: &[MountPoint]) -> Result<(), ResolveError> {
    for volume in &context.volumes {
        let source = canonical("volume", &context.cwd.join(&volume.source))?;
        plan.mounts.extend(share::mounts(&source, &volume.target, volume.access, host, &context.home)?);
        if volume.access == Access::ReadWrite {
            plan.writable.push(source);
        }
    }
    Ok(())
}
