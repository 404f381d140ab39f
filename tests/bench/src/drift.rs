//! How long after a change does a workload still run? From the change in the gate's namespace to the end of its processes.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::Failure;
use crate::figure::{Figure, Target};
use crate::measure::Setting;
use crate::processes::{descendants, first_argument, name};
use crate::start::{in_a_bottle, root_file_system};

/// Changes for each round: what must hold is said of one in a hundred.
const EACH: u32 = 10;
/// A change that the kernel announces; nothing has it so, and it opens nothing where there is no uplink.
const SETTING: &str = "/proc/sys/net/ipv4/conf/all/forwarding";
const PATIENCE: Duration = Duration::from_secs(20);
const LIMIT: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

/// Two figures, each of the slowest in a hundred.
pub(crate) fn figures(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let root = root_file_system(setting, "root")?;
    let (mut cut, mut killed) = (Vec::new(), Vec::new());
    for _ in 0..setting.rounds * EACH {
        let mut run = in_a_bottle(setting, &root, &["sleep", "600"]);
        let mut bottle = run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let times = one(&mut bottle);
        // It has ended; if not, all that is in it ends with it.
        let _ = bottle.kill();
        bottle.wait()?;
        let [gate, workload] = times?;
        cut.push(gate);
        killed.push(workload);
    }
    let target = Target::AtMost(50.0, 10.0);
    Ok(vec![
        Figure::of_the_slowest("drift, upstream cut, p99", "ms", target, cut),
        Figure::of_the_slowest("drift, workload killed, p99", "ms", target, killed),
    ])
}

/// Milliseconds from the change to the end of the gate, which holds the sockets, and of the workload.
fn one(bottle: &mut Child) -> Result<[f64; 2], Failure> {
    let (gate, workload) = running(bottle)?;
    let ends = [pidfd(gate)?, pidfd(workload)?];
    let namespace = File::open(gate_namespace(bottle.id(), workload)?)?;
    // A thread of its own, since it stays in the namespace.
    let changed = std::thread::spawn(move || -> Result<Instant, String> {
        setns(namespace, CloneFlags::CLONE_NEWNET).map_err(|errno| format!("setns: {errno}"))?;
        let begun = Instant::now();
        fs::write(SETTING, "1").map_err(|error| format!("{SETTING}: {error}"))?;
        Ok(begun)
    });
    let ended = ends.map(|end| std::thread::spawn(move || ended(&end)));
    let begun = changed.join().map_err(|_| "the thread that changes broke")??;
    let mut times = [0.0; 2];
    for (time, ended) in times.iter_mut().zip(ended) {
        let at = ended.join().map_err(|_| "the thread that waits broke")?.ok_or("it still runs after a change")?;
        *time = at.saturating_duration_since(begun).as_secs_f64() * 1000.0;
    }
    Ok(times)
}

fn ended(pidfd: &OwnedFd) -> Option<Instant> {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    (rustix::event::poll(&mut fds, Some(&LIMIT)) == Ok(1)).then(Instant::now)
}

/// Waits until the workload sleeps: the ids of gate and workload.
fn running(bottle: &mut Child) -> Result<(u32, u32), Failure> {
    let begun = Instant::now();
    loop {
        let all = descendants(bottle.id())?;
        let gate = all.iter().find(|pid| first_argument(**pid) == "bottle-gate");
        if let (Some(gate), Some(workload)) = (gate, all.iter().find(|pid| name(**pid) == "sleep")) {
            return Ok((*gate, *workload));
        }
        if begun.elapsed() > PATIENCE || bottle.try_wait()?.is_some() {
            return Err("the bottle did not start".into());
        }
        sleep(Duration::from_millis(5));
    }
}

fn pidfd(pid: u32) -> Result<OwnedFd, Failure> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or("no process id")?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// The network namespace that the supervisor holds and the workload does not live in.
fn gate_namespace(supervisor: u32, workload: u32) -> Result<PathBuf, Failure> {
    let agent = fs::read_link(format!("/proc/{workload}/ns/net"))?;
    let descriptors = fs::read_dir(format!("/proc/{supervisor}/fd"))?.flatten().map(|entry| entry.path());
    let is_gate = |path: &PathBuf| {
        fs::read_link(path).is_ok_and(|link| link.to_string_lossy().starts_with("net:[") && link != agent)
    };
    Ok({ descriptors }.find(is_gate).ok_or("the supervisor holds no gate namespace")?)
}
