//! How many answers a second does one thread give over loopback, and how many does another server?
//!
//! `cargo bench -p bottle-dns --bench loopback [-- ADDRESS:PORT]`: the other server must answer `api.example.com`.

use std::io::{IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bottle_dns::{Denials, Limits, Sinkhole, serve_udp};
use bottle_policy::{Leases, Reason, Rules};
use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};
use nix::sys::socket::sockopt::Ipv4PacketInfo;
use nix::sys::socket::{MsgFlags, MultiHeaders, recvmmsg, sendmmsg, setsockopt};

/// Queries under way at a time.
const WINDOW: usize = 64;
const ROUND: Duration = Duration::from_secs(2);
const ROUNDS: usize = 5;

struct Nobody;

impl Denials for Nobody {
    fn denied(&self, _: &str, _: &str, _: Reason) {}
}

fn main() {
    let other: Option<SocketAddr> = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let ours = start();
    for _ in 0..ROUNDS {
        let rate = load(ours);
        print!("sinkhole {rate:.0}/s");
        match other.map(load) {
            Some(theirs) => println!(", other {theirs:.0}/s, ratio {:.2}", rate / theirs),
            None => println!(),
        }
    }
}

fn start() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    setsockopt(&socket, Ipv4PacketInfo, &true).expect("IP_PKTINFO");
    let address = socket.local_addr().expect("an address");
    let rules = Arc::new(Rules::allow_flags(&["api.example.com"]).expect("rules"));
    let leases = Arc::new(Leases::new([7; 32], bottle_policy::lease::POOL));
    let sinkhole = Arc::new(Sinkhole::new(rules, leases, Limits::default(), Arc::new(Nobody)));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
        runtime.block_on(serve_udp(socket, sinkhole)).map(drop)
    });
    address
}

/// Keeps a window of queries under way for a round, and returns answers a second. A lost datagram is made good by a new window.
fn load(server: SocketAddr) -> f64 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(server).expect("connect");
    socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
    let query = query();
    let mut sending = MultiHeaders::<()>::preallocate(WINDOW, None);
    let mut receiving = MultiHeaders::<()>::preallocate(WINDOW, None);
    let mut room = vec![[0; 512]; WINDOW];
    let (start, mut answers, mut missing) = (Instant::now(), 0_u64, WINDOW);
    while start.elapsed() < ROUND {
        let queries = vec![[IoSlice::new(&query)]; missing];
        let nowhere = vec![None; missing];
        sendmmsg(socket.as_raw_fd(), &mut sending, &queries, &nowhere, [], MsgFlags::empty()).expect("sendmmsg");
        let mut slices: Vec<_> = room.iter_mut().map(|answer| [IoSliceMut::new(answer)]).collect();
        let flags = MsgFlags::MSG_WAITFORONE;
        let received = recvmmsg(socket.as_raw_fd(), &mut receiving, slices.iter_mut(), flags, None);
        let received = received.map_or(0, Iterator::count);
        assert!(room[..received].iter().all(|answer| answer[3] & 0x0f == 0 && answer[7] == 1), "not an address");
        answers += received as u64;
        missing = if received == 0 { WINDOW } else { received };
    }
    answers as f64 / start.elapsed().as_secs_f64()
}

fn query() -> Vec<u8> {
    let mut message = Message::new(1, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii("api.example.com.").expect("a name"), RecordType::A));
    message.to_vec().expect("a query")
}
