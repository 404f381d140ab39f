//! Who connects to a published port, and who serves it inside? Two programs of Python's, told what to do line by line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::Value;

use crate::running::Running;
use crate::world::World;

/// A server inside, at an address and a port. It says when it listens. Of a client's first word it learns what to do with it.
pub const SERVER: &str = r"
import socket, sys, threading
address, port = sys.argv[1], int(sys.argv[2])
listener = socket.create_server((address, port), family=socket.AF_INET6 if ':' in address else socket.AF_INET, backlog=256)
def serve(stream):
    word = b''
    while not word.endswith(b'\n'): word += stream.recv(1)
    if word == b'count\n':
        total = 0
        while piece := stream.recv(1 << 16): total += len(piece)
        stream.sendall(b'%d\n' % total + b'x' * total)
    elif word == b'echo\n':
        while piece := stream.recv(1 << 16): stream.sendall(piece)
    elif word == b'deaf\n': threading.Event().wait()
    elif word == b'break\n': stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
    stream.close()
print('ready', flush=True)
def accept():
    while True: threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
threading.Thread(target=accept, daemon=True).start()
sys.stdin.read()
";

/// A client on the lab's host, told line by line what to do; each answer is a line.
const CLIENT: &str = r"
import errno, socket, sys
streams = []
def attempt(act):
    try: return act()
    except OSError as error: return errno.errorcode.get(error.errno, 'timeout')
def connect(address, port):
    stream = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET)
    stream.settimeout(30)
    streams.append(stream)
    stream.connect((address, int(port)))
    return stream.getsockname()[1]
def receive(number):
    got = streams[int(number)].recv(1 << 16)
    return got.decode().strip() or 'end'
def visit(address, port):
    connect(address, port)
    return receive(len(streams) - 1)
def everything(number):
    total = b''
    while piece := streams[int(number)].recv(1 << 16): total += piece
    return len(total)
def send(number, *words): streams[int(number)].sendall(' '.join(words).encode() + b'\n')
def bulk(number, count):
    streams[int(number)].sendall(b'y' * int(count))
def fill(number):
    stream, total = streams[int(number)], 0
    stream.settimeout(3)
    try:
        while total < 1 << 30: total += stream.send(b'z' * (1 << 20))
    except TimeoutError: pass
    return total
def finish(number): streams[int(number)].shutdown(socket.SHUT_WR)
def close(number): streams[int(number)].close()
for line in sys.stdin:
    verb, *rest = line.split()
    print(attempt(lambda: globals()[verb](*rest)), flush=True)
";

/// A client that lives as long as the test wants.
pub struct Client {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Client {
    pub fn new(world: &World) -> Client {
        let mut python = world.program("python3");
        python.args(["-c", CLIENT]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = python.spawn().unwrap();
        let (to, from) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        Client { process, to, from }
    }

    pub fn ask(&mut self, line: &str) -> String {
        writeln!(self.to, "{line}").unwrap();
        let mut answer = String::new();
        self.from.read_line(&mut answer).unwrap();
        answer.trim().to_owned()
    }

    /// Connects, and proves that the server answers; gives the port that it comes from.
    pub fn connected(&mut self, address: &str, port: u16, number: usize) -> u16 {
        let own = self.ask(&format!("connect {address} {port}")).parse().unwrap();
        assert_eq!(self.ask(&format!("send {number} echo")), "None");
        assert_eq!(self.ask(&format!("send {number} hello")), "None");
        assert_eq!(self.ask(&format!("receive {number}")), "hello");
        own
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A bottle with a server at this address inside, published as this.
pub fn serving(world: &World, published: &[&str], address: &str) -> Running {
    let options: Vec<&str> = published.iter().flat_map(|port| ["-p", port]).collect();
    world.start(&[&options[..], &["host", "--", "python3", "-c", SERVER, address, "8000"]].concat()).ready()
}

/// The connections in the log, each with its outcome. The log verifies.
pub fn connections(world: &World) -> Vec<(Value, Value)> {
    world.verify_log().ok();
    let outcomes = world.entries_of("inbound.outcome");
    let outcome = |begun: &Value| {
        let mut its = outcomes.iter().filter(|outcome| outcome["connection"] == begun["connection"]);
        let outcome = its.next().unwrap_or_else(|| panic!("no outcome of {begun}")).clone();
        assert!(its.next().is_none() && outcome["seq"].as_u64() > begun["seq"].as_u64());
        outcome
    };
    let all: Vec<(Value, Value)> =
        world.entries_of("inbound").into_iter().map(|begun| (begun.clone(), outcome(&begun))).collect();
    assert_eq!(all.len(), outcomes.len());
    all
}
