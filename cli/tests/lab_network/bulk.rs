//! Are many bytes and many connections carried whole, counted exactly, and ended as they should be?

use bottle_lab::addresses::WEB;
use bottle_lab::{Answer, Options};

use crate::world::World;

#[test]
fn fifty_megabytes_come_down_whole_and_are_counted() {
    let world = World::new();
    let run = world.allow(&["http://web.lab.example", "web.lab.example"]).run(&[
        "sh",
        "-c",
        "for scheme in http https; do curl -sS $scheme://web.lab.example/bytes/50000000 | sha256sum; done",
    ]);
    let sums: Vec<&str> = run.ok().lines().collect();
    // Of fifty million zeros.
    assert_eq!(sums, ["ab46920a3bcd0891d34367719808bc3f832e4968ddfbfb464d093e306d2275ad  -"; 2]);
    for (_, outcome) in run.log.attempts() {
        assert!((50_000_000..51_000_000).contains(&outcome.bytes_down.unwrap()), "{outcome:?}");
        assert!(outcome.bytes_up.unwrap() < 20_000);
    }
}

#[test]
fn twenty_megabytes_of_noise_go_up_and_come_back_whole() {
    let world = World::new();
    let script = "
import hashlib
noise = os.urandom(20_000_000)
stream = tcp('web.lab.example', 7)
def feed():
    stream.sendall(noise); stream.shutdown(socket.SHUT_WR)
threading.Thread(target=feed).start()
back, length = hashlib.sha256(), 0
while piece := stream.recv(1 << 20): back.update(piece); length += len(piece)
print(length, back.digest() == hashlib.sha256(noise).digest())";
    let (said, run) = world.allow(&["tcp://web.lab.example:7"]).python(script);
    assert_eq!(said, ["20000000 True"]);
    let (_, outcome) = run.log.attempt();
    assert_eq!((outcome.bytes_up, outcome.bytes_down), (Some(20_000_000), Some(20_000_000)));
    let row = run.log.row("web.lab.example");
    assert_eq!((row.bytes_up, row.bytes_down), (20_000_000, 20_000_000));
}

#[test]
fn a_side_that_is_done_closes_its_half_and_the_other_goes_on() {
    let world = World::new();
    let script = "
stream = tcp('web.lab.example', 7); stream.sendall(b'last words'); stream.shutdown(socket.SHUT_WR)
print(stream.recv(64), stream.recv(64))
stream = tcp('web.lab.example', 80); stream.sendall(get('web.lab.example').encode()); stream.shutdown(socket.SHUT_WR)
print(status(stream.recv(4096).decode()))";
    let (said, _) = world.allow(&["tcp://web.lab.example:7", "http://web.lab.example"]).python(script);
    assert_eq!(said, ["b'last words' b''", "200"]);
}

#[test]
fn a_closed_port_upstream_is_a_reset() {
    let world = World::new();
    let (said, run) =
        world.allow(&["tcp://web.lab.example:81"]).python("print(end(lambda: tcp('web.lab.example', 81).recv(1)))");
    assert_eq!(said, ["ECONNRESET"]);
    assert_eq!(run.log.attempt().1.result, bottle_evidence::audit::Ended::Unreachable);
}

#[test]
fn two_hundred_connections_at_once_are_all_served_and_each_recorded() {
    // One address each: of two, the second is tried beside the first where that takes long, and arrives as one more.
    let one_address = Answer::Addresses(vec![WEB.into()], 60);
    let world = World::with(Options::default().name("*.allowed.example", one_address));
    let script = "
got = []
def one(number):
    name = f'n{number % 20}.allowed.example'
    if number % 4 == 3: return got.append(https(name, 8443))
    got.append(https(name))
threads = [threading.Thread(target=one, args=(number,)) for number in range(200)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(got.count('200'), got.count('ECONNRESET'))";
    let (said, run) = world.allow(&["*.allowed.example"]).python(script);
    assert_eq!(said, ["150 50"], "{:?}", run.log.reasons());
    assert_eq!(run.log.attempts().len(), 200);
    assert_eq!(run.log.reasons(), vec!["port-not-allowed"; 50]);
    assert_eq!(world.lab.received("web").unwrap().len(), 150);
}

#[test]
fn two_hundred_silent_connections_do_not_keep_others_waiting() {
    let world = World::new();
    let script = "
silent = [tcp('api.allowed.example', 443) for _ in range(200)]
for stream in silent[::2]: stream.sendall(b'\\x16\\x03\\x01\\x02\\x00')
print(https('api.allowed.example'), len(select.select(silent, [], [], 0)[0]), 'of them ended before')";
    let (said, run) = world.allow(&["api.allowed.example"]).python(script);
    assert_eq!(said, ["200 0 of them ended before"]);
    assert_eq!(run.log.attempts().len(), 201);
    assert_eq!(world.lab.received("web").unwrap().len(), 1);
}
