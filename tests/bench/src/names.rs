//! How many DNS answers a second does the sinkhole give beside unbound with local data? One thread each, the same client.

use std::fs;
use std::io::{IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bottle_dns::{Denials, Limits, Sinkhole, serve_udp};
use bottle_policy::{Leases, Reason, Rules};
use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};
use nix::sys::socket::sockopt::Ipv4PacketInfo;
use nix::sys::socket::{MsgFlags, MultiHeaders, recvmmsg, sendmmsg, setsockopt};

use crate::Failure;
use crate::figure::{Figure, Target};
use crate::measure::Setting;

const NAME: &str = "api.example.com";
/// Queries under way at a time.
const WINDOW: usize = 64;
const ROUND: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(10);

struct Nobody;

impl Denials for Nobody {
    fn denied(&self, _: &str, _: &str, _: Reason) {}
}

/// By turns, after one round that warms both up.
pub(crate) fn figures(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let ours = sinkhole()?;
    let (mut unbound, theirs) = unbound(setting)?;
    let measured = by_turns(setting.rounds, ours, theirs);
    unbound.kill()?;
    unbound.wait()?;
    let (bottle, peer) = measured?;
    let target = Target::AtLeast(0.5, 1.0);
    Ok(vec![Figure::new("DNS answers a second, one thread", "1/s", target, bottle, Some(("unbound", peer)))])
}

fn by_turns(rounds: u32, ours: SocketAddr, theirs: SocketAddr) -> Result<(Vec<f64>, Vec<f64>), Failure> {
    let (mut bottle, mut peer) = (Vec::new(), Vec::new());
    let begun = Instant::now();
    while let Err(error) = load(theirs, Duration::from_millis(50)) {
        if begun.elapsed() > PATIENCE {
            return Err(format!("unbound does not answer: {error}").into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    load(ours, ROUND)?;
    for _ in 0..rounds {
        bottle.push(load(ours, ROUND)?);
        peer.push(load(theirs, ROUND)?);
    }
    Ok((bottle, peer))
}

fn sinkhole() -> Result<SocketAddr, Failure> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    setsockopt(&socket, Ipv4PacketInfo, &true)?;
    let address = socket.local_addr()?;
    let rules = Arc::new(Rules::allow_flags(&[NAME])?);
    let leases = Arc::new(Leases::new([7; 32], bottle_policy::lease::POOL));
    let sinkhole = Arc::new(Sinkhole::new(rules, leases, Limits::default(), Arc::new(Nobody)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    std::thread::spawn(move || runtime.block_on(serve_udp(socket, sinkhole)).map(drop));
    Ok(address)
}

fn unbound(setting: &Setting) -> Result<(Child, SocketAddr), Failure> {
    // Freed again at once: unbound wants a number.
    let address = UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
    let file = setting.at("unbound.conf");
    let port = address.port();
    fs::write(
        &file,
        format!(
            "server:\n interface: 127.0.0.1@{port}\n port: {port}\n num-threads: 1\n do-tcp: no\n chroot: \"\"\n \
             username: \"\"\n directory: \"/\"\n pidfile: \"\"\n use-syslog: no\n verbosity: 0\n module-config: \"iterator\"\n \
             outgoing-range: 16\n num-queries-per-thread: 1024\n local-zone: \"example.com.\" static\n \
             local-data: \"{NAME}. 60 IN A 28.1.2.3\"\nremote-control:\n control-enable: no\n"
        ),
    )?;
    let mut command = Command::new("unbound");
    command.arg("-d").arg("-c").arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().map_err(|error| format!("unbound: {error}\nhint: apt-get install unbound"))?;
    Ok((child, address))
}

/// Keeps a window of queries under way, and returns answers a second. Lost datagrams are made good by a new window.
fn load(server: SocketAddr, duration: Duration) -> Result<f64, Failure> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    let query = query()?;
    let mut sending = MultiHeaders::<()>::preallocate(WINDOW, None);
    let mut receiving = MultiHeaders::<()>::preallocate(WINDOW, None);
    let mut room = vec![[0; 512]; WINDOW];
    let (start, mut answers, mut missing) = (Instant::now(), 0_u64, WINDOW);
    while start.elapsed() < duration {
        let (queries, nowhere) = (vec![[IoSlice::new(&query)]; missing], vec![None; missing]);
        sendmmsg(socket.as_raw_fd(), &mut sending, &queries, &nowhere, [], MsgFlags::empty())?;
        let mut slices: Vec<_> = room.iter_mut().map(|answer| [IoSliceMut::new(answer)]).collect();
        let received = recvmmsg(socket.as_raw_fd(), &mut receiving, slices.iter_mut(), MsgFlags::MSG_WAITFORONE, None);
        let received = received.map_or(0, Iterator::count);
        if !room[..received].iter().all(|answer| answer[3] & 0x0f == 0 && answer[7] == 1) {
            return Err("an answer has no address".into());
        }
        answers += received as u64;
        missing = if received == 0 { WINDOW } else { received };
    }
    if answers == 0 { Err("no answer".into()) } else { Ok(answers as f64 / start.elapsed().as_secs_f64()) }
}

fn query() -> Result<Vec<u8>, Failure> {
    let mut message = Message::new(1, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(format!("{NAME}."))?, RecordType::A));
    Ok(message.to_vec()?)
}
