//! How fast do bytes go through the proxy, beside bytes that the kernel routes over as many links? Down and up.

use crate::Failure;
use crate::arguments::Task;
use crate::figure::{Figure, Target};
use crate::measure::Setting;
use crate::world::World;

/// One connection at a time, in MiB a second.
pub(crate) fn figures(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let world = World::new(setting)?;
    let mut figures = Vec::new();
    for task in [Task::Down, Task::Up] {
        let all = world.by_turns(task)?;
        let name = format!("throughput, {}", task.word());
        let peer = Some(("routed", in_mib(all.routed)));
        let figure = Figure::new(name, "MiB/s", Target::AtLeast(0.5, 0.65), in_mib(all.bottle), peer);
        figures.push(figure.beside("haproxy", in_mib(all.haproxy)));
    }
    Ok(figures)
}

fn in_mib(rates: Vec<f64>) -> Vec<f64> {
    rates.into_iter().map(|rate| rate / f64::from(1 << 20)).collect()
}
