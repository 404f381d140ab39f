//! How long after a change do an upstream connection and a workload still live? From the change, by another process, to both ends.
//!
//! The upstream is this program, on the host's loopback, so what is timed is the end that an upstream server sees. A change
//! begins when the program that makes it is told to; what it needs itself is counted too.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::Failure;
use crate::figure::{Figure, Target};
use crate::measure::Setting;
use crate::processes::{descendants, first_argument};
use crate::start::{in_a_bottle, root_file_system};

/// Changes for each round: what must hold is said of one in a hundred.
const EACH: u32 = 10;
const PATIENCE: Duration = Duration::from_secs(20);
const LIMIT: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

#[derive(Clone, Copy)]
enum Side {
    Agent,
    Gate,
}

use Side::{Agent, Gate};

/// What happens to a bottle, and is announced: the kernel tells of the first kind, and of a child's death or stop.
enum Change {
    /// A program in one of the namespaces, which does it when it has read this from its standard input.
    Namespace(Side, &'static [&'static str], &'static str),
    /// A signal to the process with this first argument.
    Process(&'static str, Signal),
}

const NFT: &[&str] = &["nft", "-f", "-"];
const IP: &[&str] = &["ip", "-batch", "-"];

/// By turns. What the kernel does not announce is found at the next poll, a second later at most, and is not among them; a
/// supervisor that is stopped is missed after three seconds.
const CHANGES: [Change; 20] = [
    Change::Namespace(Agent, NFT, "add rule inet bottle output counter accept"),
    Change::Namespace(Gate, NFT, "insert rule inet bottle prerouting counter accept"),
    Change::Namespace(Gate, NFT, "flush table inet bottle"),
    Change::Namespace(Agent, NFT, "flush ruleset"),
    Change::Namespace(Gate, NFT, "delete table netdev bottle"),
    Change::Namespace(Gate, IP, "link set g0 name g9"),
    Change::Namespace(Agent, IP, "link set eth0 down"),
    Change::Namespace(Agent, IP, "link set eth0 mtu 1400"),
    Change::Namespace(Gate, IP, "link add way-out type veth peer name way-in"),
    Change::Namespace(Agent, IP, "address add 10.9.9.9/32 dev lo"),
    Change::Namespace(Gate, IP, "route add 10.0.0.0/8 dev g0"),
    Change::Namespace(Gate, IP, "rule add from all lookup 77"),
    Change::Namespace(Agent, IP, "neigh replace 28.0.0.1 lladdr 02:00:00:00:00:09 dev eth0 nud permanent"),
    Change::Namespace(Gate, &["tee", "/proc/sys/net/ipv4/ip_forward"], "1"),
    Change::Namespace(Agent, &["tee", "/proc/sys/net/ipv6/conf/all/forwarding"], "1"),
    Change::Process("bottle-gate", Signal::KILL),
    Change::Process("bottle-gate", Signal::STOP),
    Change::Process("bottle-dialler", Signal::KILL),
    Change::Process("bottle-dialler", Signal::STOP),
    Change::Process("bottle-init", Signal::KILL),
];

/// Two figures, each of the slowest in a hundred.
pub(crate) fn figures(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let root = root_file_system(setting, "root")?;
    let upstream = TcpListener::bind("127.0.0.1:0")?;
    let (mut cut, mut killed) = (Vec::new(), Vec::new());
    for change in CHANGES.iter().cycle().take((setting.rounds * EACH) as usize) {
        let port = upstream.local_addr()?.port();
        let allow = format!("--allow=tcp://host.bottle.internal:{port}");
        let asking = format!(
            "(printf 'CONNECT host.bottle.internal:{port} HTTP/1.1\\r\\nHost: host.bottle.internal:{port}\\r\\n\\r\\n'; \
             busybox sleep 600) | busybox nc 28.0.0.1 3128"
        );
        let mut run = in_a_bottle(setting, &root, &[&allow], &["busybox", "sh", "-c", &asking]);
        let mut bottle = run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let times = one(&mut bottle, &upstream, change);
        // It has ended; if not, all that is in it ends with it.
        let _ = bottle.kill();
        bottle.wait()?;
        let [upstream, workload] = times?;
        cut.push(upstream);
        killed.push(workload);
    }
    let target = Target::AtMost(50.0, 10.0);
    Ok(vec![
        Figure::of_the_slowest("drift, upstream cut, p99", "ms", target, cut),
        Figure::of_the_slowest("drift, workload killed, p99", "ms", target, killed),
    ])
}

/// Milliseconds from the change to the end of the connection, as its other end sees it, and of the workload.
fn one(bottle: &mut Child, upstream: &TcpListener, change: &Change) -> Result<[f64; 2], Failure> {
    let connection = accepted(bottle, upstream)?;
    let all = descendants(bottle.id())?;
    let of_role = |role: &str| all.iter().copied().find(|pid| first_argument(*pid) == role);
    let workload = of_role("busybox").ok_or("there is no workload")?;
    let killed = pidfd(workload)?;
    let change = match change {
        Change::Namespace(side, program, line) => {
            let place = namespace(*side, bottle.id(), workload)?;
            let mut child = waiting(&place, program)?;
            Begun::Program(child.stdin.take().ok_or("no standard input")?, child, line)
        }
        Change::Process(role, signal) => Begun::Signal(pidfd(of_role(role).ok_or("no such process")?)?, *signal),
    };
    let ends = [watched(move || closed(connection)), watched(move || ended(&killed))];
    let (begun, program) = change.make()?;
    let mut times = [0.0; 2];
    for (time, end) in times.iter_mut().zip(ends) {
        let at = end.join().map_err(|_| "the thread that waits broke")?.ok_or("it still lives after a change")?;
        *time = at.saturating_duration_since(begun).as_secs_f64() * 1000.0;
    }
    match program.map(Child::wait_with_output).transpose()? {
        Some(output) if !output.status.success() => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
        _ => Ok(times),
    }
}

enum Begun {
    Program(std::process::ChildStdin, Child, &'static str),
    Signal(OwnedFd, Signal),
}

impl Begun {
    /// When it was made.
    fn make(self) -> Result<(Instant, Option<Child>), Failure> {
        match self {
            Begun::Program(mut input, child, line) => {
                let begun = Instant::now();
                writeln!(input, "{line}")?;
                Ok((begun, Some(child)))
            }
            Begun::Signal(process, signal) => {
                let begun = Instant::now();
                pidfd_send_signal(&process, signal)?;
                Ok((begun, None))
            }
        }
    }
}

/// A program that has been executed in a namespace and reads.
fn waiting(place: &Path, program: &[&str]) -> Result<Child, Failure> {
    let mut enter = Command::new("nsenter");
    enter.arg(format!("--net={}", place.display())).args(program);
    let child = enter.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let begun = Instant::now();
    // The kernel says what it waits in: the end of a pipe.
    while !fs::read_to_string(format!("/proc/{}/wchan", child.id()))?.contains("pipe_read") {
        if begun.elapsed() > PATIENCE {
            return Err(format!("{program:?} does not read").into());
        }
        sleep(Duration::from_millis(1));
    }
    Ok(child)
}

fn watched(wait: impl FnOnce() -> Option<Instant> + Send + 'static) -> JoinHandle<Option<Instant>> {
    std::thread::spawn(wait)
}

/// When the other end closed or reset it.
fn closed(mut connection: TcpStream) -> Option<Instant> {
    let mut bytes = [0; 64];
    loop {
        match connection.read(&mut bytes) {
            Ok(0) => return Some(Instant::now()),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return Some(Instant::now()),
            Err(_) => return None,
        }
    }
}

fn ended(pidfd: &OwnedFd) -> Option<Instant> {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    (rustix::event::poll(&mut fds, Some(&LIMIT)) == Ok(1)).then(Instant::now)
}

/// Waits until the workload is connected through the gate.
fn accepted(bottle: &mut Child, upstream: &TcpListener) -> Result<TcpStream, Failure> {
    let begun = Instant::now();
    upstream.set_nonblocking(true)?;
    loop {
        if let Ok((connection, _)) = upstream.accept() {
            connection.set_nonblocking(false)?;
            connection.set_read_timeout(Some(PATIENCE))?;
            return Ok(connection);
        }
        if begun.elapsed() > PATIENCE || bottle.try_wait()?.is_some() {
            return Err("the bottle did not connect".into());
        }
        sleep(Duration::from_millis(5));
    }
}

fn pidfd(pid: u32) -> Result<OwnedFd, Failure> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or("no process id")?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// The workload's network namespace, or the other one that the supervisor holds.
fn namespace(side: Side, supervisor: u32, workload: u32) -> Result<PathBuf, Failure> {
    let agent = fs::read_link(format!("/proc/{workload}/ns/net"))?;
    let descriptors = fs::read_dir(format!("/proc/{supervisor}/fd"))?.flatten().map(|entry| entry.path());
    let wanted = |path: &PathBuf| {
        fs::read_link(path).is_ok_and(|link| match side {
            Agent => link == agent,
            Gate => link.to_string_lossy().starts_with("net:[") && link != agent,
        })
    };
    Ok({ descriptors }.find(wanted).ok_or("the supervisor holds no such namespace")?)
}
