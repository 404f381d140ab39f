//! How many new TLS connections a second, each decided and sealed in the log, beside such that the kernel just routes?

use crate::Failure;
use crate::arguments::Task;
use crate::figure::{Figure, Target};
use crate::measure::Setting;
use crate::world::World;

/// Sixteen at a time, each with a whole TLS 1.3 handshake.
pub(crate) fn figures(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let world = World::new(setting)?;
    let all = world.by_turns(Task::Connect)?;
    let target = Target::AtLeast(0.5, 0.7);
    let peer = Some(("routed", all.routed));
    let figure = Figure::new("new TLS connections a second", "1/s", target, all.bottle, peer);
    Ok(vec![figure.beside("haproxy", all.haproxy)])
}
