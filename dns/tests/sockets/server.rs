//! A sinkhole with a real policy on real loopback sockets, as the gate process would run it: one thread.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bottle_dns::{Denials, Limits, Sinkhole, serve_tcp, serve_udp};
use bottle_policy::{Leases, Reason, Rules};
use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RData, RecordType};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo};
use tokio::sync::oneshot;

/// A running sinkhole that allows `api.example.com`. It ends with this value.
pub(crate) struct Server {
    pub(crate) udp_v4: SocketAddr,
    pub(crate) udp_v6: SocketAddr,
    pub(crate) tcp: SocketAddr,
    pub(crate) leases: Arc<Leases>,
    reports: Arc<Reports>,
    _stop: oneshot::Sender<()>,
}

#[derive(Default)]
struct Reports(Mutex<Vec<String>>);

impl Denials for Reports {
    fn denied(&self, name: &str, qtype: &str, reason: Reason) {
        self.0.lock().unwrap().push(format!("{name} {qtype} {}", reason.code()));
    }
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        let udp_v4 = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        setsockopt(&udp_v4, Ipv4PacketInfo, &true).unwrap();
        let udp_v6 = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        setsockopt(&udp_v6, Ipv6RecvPacketInfo, &true).unwrap();
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (stop, stopped) = oneshot::channel();
        let (leases, reports) =
            (Arc::new(Leases::new([7; 32], bottle_policy::lease::POOL)), Arc::new(Reports::default()));
        let rules = Arc::new(Rules::allow_flags(&["api.example.com"]).unwrap());
        let sinkhole = Arc::new(Sinkhole::new(rules, leases.clone(), limits, reports.clone()));
        let server = Self {
            udp_v4: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), udp_v4.local_addr().unwrap().port()),
            udp_v6: udp_v6.local_addr().unwrap(),
            tcp: tcp.local_addr().unwrap(),
            leases,
            reports,
            _stop: stop,
        };
        std::thread::spawn(move || serve(udp_v4, udp_v6, tcp, sinkhole, stopped));
        server
    }

    pub(crate) fn reports(&self) -> Vec<String> {
        self.reports.0.lock().unwrap().clone()
    }
}

fn serve(
    udp_v4: UdpSocket,
    udp_v6: UdpSocket,
    tcp: TcpListener,
    sinkhole: Arc<Sinkhole>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::select! {
            ended = serve_udp(udp_v4, sinkhole.clone()) => panic!("{ended:?}"),
            ended = serve_udp(udp_v6, sinkhole.clone()) => panic!("{ended:?}"),
            ended = serve_tcp(tcp, sinkhole) => panic!("{ended:?}"),
            _ = stopped => {}
        }
    });
}

/// A socket that waits at most ten seconds for an answer.
pub(crate) fn client(address: IpAddr) -> UdpSocket {
    let socket = UdpSocket::bind((address, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}

pub(crate) fn query(id: u16, name: &str, kind: RecordType) -> Message {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    let mut name = Name::from_ascii(name).unwrap();
    name.set_fqdn(true);
    message.add_query(Query::query(name, kind));
    message
}

pub(crate) fn address_in(answer: &Message) -> Option<Ipv4Addr> {
    match answer.answers.as_slice() {
        [record] => match record.data {
            RData::A(address) => Some(address.0),
            _ => None,
        },
        _ => None,
    }
}
