//! What does the supervisor tell the warden? What init is told, and which process to wait for.

use std::os::fd::AsFd;

use super::Adopted;
use crate::init::message::ToInit;
use crate::init::plan::InitPlan;
use crate::realize_error::RealizeError;
use crate::supervisor::stdio::Streams;
use crate::waiting::Waiting;

/// Returns streams that lead nowhere: the workload's are its engine's.
pub(crate) async fn set_up(
    warden: &Waiting,
    plan: InitPlan,
    adopted: &Adopted,
) -> Result<Option<Streams>, RealizeError> {
    let step = |step| move |source| RealizeError::Step { step, source };
    let plan = InitPlan { argv: vec![adopted.program.path().display().to_string()], ..plan };
    let sealed = plan.seal().map_err(step("hand the plan over"))?;
    let start = ToInit::Start { streams: false };
    warden.send(&start, &[sealed.as_fd(), adopted.container.as_fd()]).await?;
    Ok(Some(Streams::elsewhere().map_err(step("prepare the standard streams"))?))
}
