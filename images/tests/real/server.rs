//! A registry on loopback: Debian's docker-registry, over plain HTTP with passwords, or over TLS with tokens.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use super::place::tool;

pub const USER: &str = "ann:secret";
/// What the user may show instead of a password.
pub const REFRESH: &str = "refresh-1";

/// A process that ends with this value.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running registry, which ends with this value.
pub struct Server {
    _registry: Ending,
    _issuer: Option<Ending>,
    pub port: u16,
    /// Where `ca.crt` lies, if it speaks TLS.
    authority: Option<PathBuf>,
}

/// A port that nobody listens at. Not one of those that the kernel gives to who connects: it could be taken again at once.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    let ports = std::iter::repeat_with(|| NEXT.fetch_add(1, Ordering::Relaxed));
    ports.take(10_000).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a port")
}

impl Server {
    /// One with passwords over plain HTTP, whose files lie in the directory.
    pub fn start(directory: &Path) -> Server {
        std::fs::create_dir_all(directory).expect("a directory");
        let (user, password) = USER.split_once(':').expect("both");
        let passwords = tool(Command::new("htpasswd").args(["-nbB", "-C", "4", user, password])).stdout;
        std::fs::write(directory.join("passwords"), passwords).expect("a file");
        let auth = format!("auth: {{ htpasswd: {{ realm: test, path: {}/passwords }} }}\n", directory.display());
        let (registry, port) = serve(directory, "", &auth);
        Server { _registry: registry, _issuer: None, port, authority: None }
    }

    /// One with tokens over TLS. Without any, `public/` can be pulled from it.
    pub fn secure(directory: &Path) -> Server {
        let authority = directory.join("authority");
        certificates(&authority);
        let (issuer, at) = issue(&authority);
        let place = authority.display();
        let auth = format!(
            "auth: {{ token: {{ realm: 'https://127.0.0.1:{at}/token', service: registry, issuer: issuer, rootcertbundle: {place}/ca.crt }} }}\n"
        );
        let tls = format!(", tls: {{ certificate: {place}/server.pem, key: {place}/server-key.pem }}");
        let (registry, port) = serve(directory, &tls, &auth);
        Server { _registry: registry, _issuer: Some(issuer), port, authority: Some(authority) }
    }

    /// The certificate of whom its certificate comes from.
    pub fn authority(&self) -> Vec<u8> {
        std::fs::read(self.authority.as_ref().expect("it speaks TLS").join("ca.crt")).expect("a file")
    }

    /// The name of an image in it.
    pub fn name(&self, image: &str) -> String {
        format!("127.0.0.1:{}/{image}", self.port)
    }

    /// Brings the image of a layout here, for each machine that it has one for.
    pub fn push(&self, layout: &Path, image: &str) {
        let mut command = Command::new("skopeo");
        command.args(["--insecure-policy", "--tmpdir", "/tmp", "copy", "--quiet", "--preserve-digests", "--all"]);
        match &self.authority {
            Some(directory) => command.arg("--dest-cert-dir").arg(directory),
            None => command.arg("--dest-tls-verify=false"),
        };
        command.args(["--dest-creds", USER]);
        tool(command.arg(format!("oci:{}:t", layout.display())).arg(format!("docker://{}", self.name(image))));
    }
}

/// A registry that answers, and its port.
fn serve(directory: &Path, tls: &str, auth: &str) -> (Ending, u16) {
    let port = free_port();
    let config = format!(
        "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\nstorage: {{ filesystem: {{ rootdirectory: {}/data }} }}\n\
         http: {{ addr: '127.0.0.1:{port}'{tls} }}\n{auth}",
        directory.display()
    );
    std::fs::write(directory.join("config.yml"), config).expect("a file");
    let mut command = Command::new("docker-registry");
    command.arg("serve").arg(directory.join("config.yml")).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().unwrap_or_else(|error| panic!("docker-registry: {error}\nhint: tests/run --install"));
    let (mut registry, begun) = (Ending(child), Instant::now());
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let ended = registry.0.try_wait().expect("a child");
        assert!(ended.is_none(), "the registry ended: {ended:?}; {}/config.yml", directory.display());
        assert!(begun.elapsed() < Duration::from_secs(60), "the registry does not answer");
        std::thread::sleep(Duration::from_millis(20));
    }
    (registry, port)
}

/// Who gives the tokens, and its port.
fn issue(authority: &Path) -> (Ending, u16) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/token.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(authority.join("server.pem")).arg(authority.join("server-key.pem")).args([USER, REFRESH]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("python3");
    let output = child.stdout.take().expect("a pipe");
    let issuer = Ending(child);
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).expect("a line");
    (issuer, line.trim().parse().expect("a port"))
}

/// `ca.crt`, and `server.pem` with `server-key.pem` for 127.0.0.1.
fn certificates(directory: &Path) {
    std::fs::create_dir_all(directory).expect("a directory");
    std::fs::write(directory.join("names"), "subjectAltName=IP:127.0.0.1\n").expect("a file");
    for line in [
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca-key.pem -out ca.crt",
        "req -newkey rsa:2048 -nodes -subj /CN=registry -keyout server-key.pem -out server.csr",
        "x509 -req -in server.csr -CA ca.crt -CAkey ca-key.pem -CAcreateserial -days 2 -extfile names -out server.pem",
    ] {
        tool(Command::new("openssl").current_dir(directory).args(line.split(' ')));
    }
}

/// Configuration by which a place pulls from these registries.
pub fn insecure(servers: &[&Server]) -> String {
    servers
        .iter()
        .map(|server| format!("[[registry]]\nlocation = '127.0.0.1:{}'\ninsecure = true\n", server.port))
        .collect()
}

/// Credentials for these registries.
pub fn logged_in(servers: &[&Server]) -> String {
    use base64ct::{Base64, Encoding};
    let auth = Base64::encode_string(USER.as_bytes());
    let each = servers.iter().map(|server| format!(r#""127.0.0.1:{}":{{"auth":"{auth}"}}"#, server.port));
    format!(r#"{{"auths":{{{}}}}}"#, each.collect::<Vec<_>>().join(","))
}
