//! How is a gate run over loopback? With a scripted original destination, a scripted dialler and one server.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bottle_policy::{Leases, Name, Reason, Rules, Seen, Verdict, decide, lease::POOL};
use bottle_proxy::gate::{ChallengeKey, Limits};
use bottle_proxy::{Attempt, Gate, GateParts, Listeners, OriginalDst, Outcome, Refusal, RefusalKind, Upstream, Way};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const POLICY: &str = "
version: 1
domains:
  - pattern: api.example.com
    ports: [443]
  - pattern: db.example.com
    ports: [5432]
    protocol: tcp
  - pattern: web.example.com
    ports: [80]
    protocol: http
";
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn limits() -> Limits {
    Limits { pipes: 2, ..Limits::default() }
}

/// What the scripted dialler says.
#[allow(dead_code, reason = "each test program uses some")]
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// As the rules say.
    Decide,
    /// No, in this way.
    Refuse(RefusalKind),
    /// No, for this reason.
    Deny(Reason),
    /// Nothing, where the rules say yes.
    Nothing,
}

/// The destination of the next connection, whatever it really is.
#[derive(Clone, Default)]
pub(crate) struct Scripted(Arc<Mutex<std::collections::HashMap<SocketAddr, SocketAddr>>>);

impl OriginalDst for Scripted {
    fn original(&self, stream: &TcpStream) -> std::io::Result<SocketAddr> {
        let peer = stream.peer_addr()?;
        self.0.lock().expect("lock").get(&peer).copied().ok_or(ErrorKind::NotFound.into())
    }
}

pub(crate) struct Dials {
    rules: Arc<Rules>,
    answer: Answer,
    server: SocketAddr,
    attempts: Mutex<Vec<Attempt>>,
    outcomes: mpsc::UnboundedSender<Outcome>,
}

#[derive(Clone)]
pub(crate) struct Dialling(Arc<Dials>);

impl Upstream for Dialling {
    async fn open(&self, attempt: Attempt) -> Result<OwnedFd, Refusal> {
        self.0.attempts.lock().expect("lock").push(attempt.clone());
        let mut request = attempt.request;
        if attempt.way == Way::Connect && request.seen == Seen::Nothing {
            request.seen = Seen::Tls { sni: None, ech: false };
        }
        match (self.0.answer, attempt.denied, decide(&self.0.rules, &request)) {
            (_, Some(reason), _) | (_, None, Verdict::Deny(reason)) => Err(Refusal::denied(reason, "")),
            (Answer::Refuse(kind), ..) => Err(Refusal { kind, ..Refusal::unavailable("scripted") }),
            (Answer::Deny(reason), ..) => Err(Refusal::denied(reason, "scripted")),
            (Answer::Nothing, ..) => std::future::pending().await,
            (Answer::Decide, None, Verdict::Allow(_)) => {
                let stream = TcpStream::connect(self.0.server).await.map_err(Refusal::unreachable)?;
                Ok(stream.into_std().expect("a socket").into())
            }
            (Answer::Decide, None, other) => panic!("{other:?}"),
        }
    }

    async fn ended(&self, outcome: Outcome) {
        let _ = self.0.outcomes.send(outcome);
    }
}

/// A running gate and what is around it.
pub(crate) struct Bench {
    pub(crate) gate: Gate<Dialling, Scripted>,
    dials: Arc<Dials>,
    destinations: Scripted,
    leases: Arc<Leases>,
    transparent: SocketAddr,
    explicit: SocketAddr,
    server: TcpListener,
    outcomes: tokio::sync::Mutex<mpsc::UnboundedReceiver<Outcome>>,
    running: JoinHandle<()>,
}

impl Bench {
    pub(crate) async fn new(limits: Limits) -> Bench {
        Bench::with(limits, Answer::Decide).await
    }

    pub(crate) async fn with(limits: Limits, answer: Answer) -> Bench {
        let rules = Arc::new(Rules::from_text(POLICY, "test").expect("a policy"));
        let leases = Arc::new(Leases::new([7; 32], POOL));
        let server = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let (sender, outcomes) = mpsc::unbounded_channel();
        let dials = Arc::new(Dials {
            rules: Arc::clone(&rules),
            answer,
            server: server.local_addr().expect("an address"),
            attempts: Mutex::default(),
            outcomes: sender,
        });
        let destinations = Scripted::default();
        let (transparent, explicit) = (listener(), listener());
        let addresses = [&transparent, &explicit].map(|socket| socket.local_addr().expect("an address"));
        let gate = Gate::new(GateParts {
            rules,
            leases: Arc::clone(&leases),
            upstream: Dialling(Arc::clone(&dials)),
            original: destinations.clone(),
            limits,
            challenge: ChallengeKey::new([9; 32]),
        })
        .expect("a gate");
        let running = tokio::spawn({
            let gate = gate.clone();
            async move {
                gate.run(Listeners { transparent: vec![transparent], explicit: vec![explicit] }).await.expect("served")
            }
        });
        let outcomes = tokio::sync::Mutex::new(outcomes);
        let [transparent, explicit] = addresses;
        Bench { gate, dials, destinations, leases, transparent, explicit, server, outcomes, running }
    }

    /// A redirected connection to the address that stands for a name.
    pub(crate) async fn connect(&self, name: &str, port: u16) -> TcpStream {
        let lease = self.leases.lease(&Name::parse(name).expect("a name")).expect("room");
        self.connect_to(&format!("{lease}:{port}")).await
    }

    /// A redirected connection to an address.
    pub(crate) async fn connect_to(&self, original: &str) -> TcpStream {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("bound");
        let ours = socket.local_addr().expect("an address");
        self.destinations.0.lock().expect("lock").insert(ours, original.parse().expect("an address"));
        socket.connect(self.transparent).await.expect("connected")
    }

    pub(crate) async fn proxy(&self) -> TcpStream {
        TcpStream::connect(self.explicit).await.expect("connected")
    }

    /// Sends a request to the explicit proxy; the first reply, up to its end or to the end of its head where it is a tunnel.
    pub(crate) async fn ask(&self, request: &str) -> String {
        let mut client = self.proxy().await;
        client.write_all(request.as_bytes()).await.expect("sent");
        client.shutdown().await.expect("shut");
        let mut reply = Vec::new();
        let mut piece = [0; 1024];
        while !reply.starts_with(b"HTTP/1.1 200 Connection") {
            match timeout(PATIENCE, client.read(&mut piece)).await.expect("in time").expect("read") {
                0 => break,
                count => reply.extend_from_slice(&piece[..count]),
            }
        }
        String::from_utf8(reply).expect("text")
    }

    /// An open tunnel and its other end.
    pub(crate) async fn tunnel(&self, host: &str) -> (TcpStream, Peer) {
        let mut client = self.proxy().await;
        client.write_all(format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await.expect("sent");
        let server = self.accept().await;
        let mut reply = vec![0; b"HTTP/1.1 200 Connection established\r\n\r\n".len()];
        client.read_exact(&mut reply).await.expect("a reply");
        (client, server)
    }

    /// The server's end of the next connection.
    pub(crate) async fn accept(&self) -> Peer {
        let accepted = timeout(PATIENCE, self.server.accept()).await.expect("in time");
        Peer { stream: accepted.expect("accepted").0 }
    }

    pub(crate) fn server(&self) -> SocketAddr {
        self.dials.server
    }

    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        self.dials.attempts.lock().expect("lock").clone()
    }

    pub(crate) async fn outcome(&self) -> Outcome {
        timeout(PATIENCE, self.outcomes.lock().await.recv()).await.expect("in time").expect("an outcome")
    }

    /// Returns once the gate has taken in what was sent to it: a whole exchange behind it in the same queue is done.
    pub(crate) async fn settle(&self) {
        let reply = self.ask("GET http://_egress.local/ HTTP/1.1\r\nHost: _egress.local\r\n\r\n").await;
        assert!(reply.starts_with("HTTP/1.1 404"));
    }

    /// Waits until the gate has ended by itself.
    pub(crate) async fn finished(self) {
        timeout(PATIENCE, self.running).await.expect("in time").expect("no panic");
    }
}

fn listener() -> std::net::TcpListener {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    listener.set_nonblocking(true).expect("an option");
    listener
}

/// One end of a connection.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
}

impl Peer {
    pub(crate) async fn take(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        timeout(PATIENCE, self.stream.read_exact(&mut bytes)).await.expect("in time").expect("enough");
        bytes
    }

    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        all(&mut self.stream).await
    }

    pub(crate) async fn broken(&mut self) -> ErrorKind {
        reset(&mut self.stream).await
    }

    /// What comes before the connection breaks.
    pub(crate) async fn until_broken(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let end = timeout(PATIENCE, self.stream.read_to_end(&mut bytes)).await.expect("in time");
        assert_eq!(end.expect_err("broken").kind(), ErrorKind::ConnectionReset);
        bytes
    }
}

/// Everything up to the end of file.
pub(crate) async fn all(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("in time").expect("read");
    bytes
}

/// How a connection breaks that must not give a byte.
pub(crate) async fn reset(stream: &mut TcpStream) -> ErrorKind {
    let mut byte = [0];
    timeout(PATIENCE, stream.read(&mut byte)).await.expect("in time").expect_err("no byte, no end of file").kind()
}
