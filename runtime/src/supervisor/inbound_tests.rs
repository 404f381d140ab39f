//! Is somebody from outside recorded first, connected to nothing but the bottle, and reset where either fails?

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use bottle_evidence::key::SigningKey;
use bottle_policy::Rules;

use super::*;
use crate::publish::Publish;
use crate::supervisor::ledger::Ledger;
use crate::supervisor::run_start::run_start;

/// A published port with a test behind it that plays init and the gate.
struct Bench {
    acceptor: Acceptor,
    place: SocketAddr,
    recorder: Arc<Recorder>,
    init: AsyncChannel,
    gate: AsyncChannel,
    log: PathBuf,
    _directory: tempfile::TempDir,
}

/// Connections must belong to this network namespace.
fn bench(agent: u64) -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("audit.jsonl");
    let ledger = Ledger::open(&log, Arc::new(SigningKey::from_seed([7; 32]))).unwrap();
    let recorder = Arc::new(Recorder::new(ledger, Arc::new(Rules::deny_all()), Box::new(drop)));
    let ((init, to_init), (gate, to_gate)) = (Channel::pair().unwrap(), Channel::pair().unwrap());
    let to_init = Arc::new(AsyncChannel::new(to_init).unwrap());
    let published = "127.0.0.1::8000".parse::<Publish>().unwrap().bind().unwrap();
    let place = SocketAddr::new(published[0].at.address, published[0].at.port);
    let admission = Admission::new(Arc::clone(&recorder), to_init, Arc::new(to_gate), agent, 1);
    let acceptor = Acceptor::open(published, admission).unwrap();
    let (init, gate) = (AsyncChannel::new(init).unwrap(), AsyncChannel::new(gate).unwrap());
    Bench { acceptor, place, recorder, init, gate, log, _directory: directory }
}

/// That of this process.
fn own_namespace() -> u64 {
    namespace_of(std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap()
}

impl Bench {
    fn running(self) -> Bench {
        self.recorder.record(&run_start());
        self.recorder.begin();
        self
    }

    fn on_disk(&self, kind: &str) -> usize {
        let text = std::fs::read_to_string(&self.log).unwrap();
        text.matches(&format!("\"kind\":\"{kind}\"")).count()
    }

    /// What init is asked for next.
    async fn asked(&self) -> (u64, SocketAddr) {
        match self.init.recv::<ToInit>().await.unwrap().0 {
            ToInit::Connect { connection, to } => (connection, to),
            other => panic!("{other:?}"),
        }
    }

    /// Answers every question of one connection with what this makes.
    async fn answer(&self, make: impl Fn() -> Option<OwnedFd>) {
        for _ in 0..3 {
            let connection = self.asked().await.0;
            self.acceptor.connecting(connection, make().into_iter().collect());
        }
    }
}

/// Connects from another thread; what it hears.
fn client(place: SocketAddr) -> std::thread::JoinHandle<io::Result<usize>> {
    std::thread::spawn(move || {
        let mut stream = std::net::TcpStream::connect(place)?;
        stream.write_all(b"x")?;
        stream.read(&mut [0; 1])
    })
}

async fn heard(client: std::thread::JoinHandle<io::Result<usize>>) -> io::Result<usize> {
    tokio::task::spawn_blocking(move || client.join().unwrap()).await.unwrap()
}

#[tokio::test]
async fn who_comes_in_is_on_the_disk_before_anything_is_opened_inside() {
    let inside = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let bench = bench(own_namespace()).running();
    let client = client(bench.place);
    let (connection, to) = bench.asked().await;
    assert_eq!((bench.on_disk("inbound"), to), (1, "127.0.0.1:8000".parse().unwrap()));
    // It listens elsewhere than was asked for, so this is not it.
    let other = std::net::TcpStream::connect(inside.local_addr().unwrap()).unwrap();
    bench.acceptor.connecting(connection, vec![other.into()]);
    assert_eq!(bench.asked().await, (connection, "[::1]:8000".parse().unwrap()));
    bench.acceptor.connecting(connection, vec![]);
    assert_eq!(bench.asked().await, (connection, "28.0.0.2:8000".parse().unwrap()));
    bench.acceptor.connecting(connection, vec![]);
    assert_eq!(heard(client).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    bench.recorder.commit().unwrap();
    assert_eq!((bench.on_disk("inbound"), bench.on_disk("inbound.outcome")), (1, 1));
}

#[tokio::test]
async fn whatever_init_hands_over_the_gate_gets_no_socket_of_another_kind_or_place() {
    let datagrams = || std::net::UdpSocket::bind("127.0.0.1:0").unwrap().into();
    let unix = || UnixStream::pair().unwrap().0.into();
    let unconnected = || {
        let (family, kind) = (rustix::net::AddressFamily::INET, SocketType::STREAM);
        rustix::net::socket(family, kind, Some(ipproto::TCP)).unwrap()
    };
    let makers: [fn() -> OwnedFd; 3] = [datagrams, unix, unconnected];
    let bench = bench(own_namespace()).running();
    for make in makers {
        let client = client(bench.place);
        bench.answer(|| Some(make())).await;
        assert_eq!(heard(client).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
    let elsewhere = self::bench(own_namespace() + 1).running();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let client = client(elsewhere.place);
    let outside = || std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap().into();
    elsewhere.answer(|| Some(outside())).await;
    assert_eq!(heard(client).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    for bench in [bench, elsewhere] {
        assert!(timeout(Duration::ZERO, bench.gate.recv::<ToGate>()).await.is_err(), "the gate was handed something");
    }
}

#[tokio::test]
async fn who_comes_before_the_run_or_after_its_end_is_reset_and_init_is_asked_for_nothing() {
    let bench = bench(own_namespace());
    assert!(heard(client(bench.place)).await.is_err());
    let bench = bench.running();
    bench.recorder.cut();
    assert!(heard(client(bench.place)).await.is_err());
    assert!(timeout(Duration::ZERO, bench.init.recv::<ToInit>()).await.is_err());
    bench.recorder.commit().unwrap();
    assert_eq!(bench.on_disk("inbound"), 0);
}

#[tokio::test]
async fn a_place_is_free_again_when_a_connection_has_its_outcome_and_what_is_open_at_the_end_was_cut() {
    let bench = bench(own_namespace()).running();
    let first = client(bench.place);
    let (connection, _) = bench.asked().await;
    let second = client(bench.place);
    assert!(timeout(Duration::ZERO, bench.asked()).await.is_err(), "there is one place");
    // What the gate says of others changes nothing.
    bench.recorder.inbound_ended(connection + 1, Ended::Closed, [0; 3]);
    bench.recorder.inbound_ended(connection, Ended::Closed, [u64::MAX; 3]);
    let (next, _) = loop {
        match bench.asked().await {
            asked if asked.0 != connection => break asked,
            _ => bench.acceptor.connecting(connection, vec![]),
        }
    };
    assert_eq!(next, connection + 1);
    bench.recorder.cut();
    bench.recorder.commit().unwrap();
    assert_eq!((bench.on_disk("inbound"), bench.on_disk("inbound.outcome")), (2, 2));
    drop(bench);
    assert!(heard(first).await.is_err() && heard(second).await.is_err());
}
