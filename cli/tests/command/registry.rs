//! What a pull needs: an image, Debian's docker-registry with a password, and a slow way to it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::place::Place;

const HINT: &str = "hint: tests/run --install";

/// A registry that ends with this value.
pub struct Server {
    child: Child,
    pub port: u16,
}

fn tool(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}\n{HINT}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A port that nobody listens at. Not one of those that the kernel gives to who connects: it could be taken again at once.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    let ports = std::iter::repeat_with(|| NEXT.fetch_add(1, Ordering::Relaxed));
    ports.take(10_000).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a port")
}

impl Server {
    pub fn start(place: &Place) -> Server {
        let port = free_port();
        let directory = place.path("registry");
        std::fs::create_dir_all(&directory).expect("a directory");
        let passwords = tool(Command::new("htpasswd").args(["-nbB", "-C", "4", "ann", "secret"]));
        std::fs::write(directory.join("passwords"), passwords).expect("a file");
        let config = format!(
            "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\n\
             storage: {{ filesystem: {{ rootdirectory: {0}/data }} }}\nhttp: {{ addr: '127.0.0.1:{port}' }}\n\
             auth: {{ htpasswd: {{ realm: test, path: {0}/passwords }} }}\n",
            directory.display()
        );
        std::fs::write(directory.join("config.yml"), config).expect("a file");
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(directory.join("config.yml")).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| panic!("docker-registry: {error}\n{HINT}"));
        let (server, begun) = (Server { child, port }, Instant::now());
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "the registry does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    pub fn push(&self, place: &Place, layout: &str, image: &str) {
        let mut command = Command::new("skopeo");
        command.args(["--insecure-policy", "--tmpdir", "/tmp", "copy", "--quiet", "--preserve-digests"]);
        command.args(["--dest-tls-verify=false", "--dest-creds", "ann:secret"]);
        command.arg(format!("oci:{}:t", place.path(layout).display()));
        tool(command.arg(format!("docker://127.0.0.1:{}/{image}", self.port)));
    }

    /// Lets the place pull from this port as the user.
    pub fn configure(&self, place: &Place, port: u16) {
        self.configure_as(place, "127.0.0.1", port);
    }

    /// The same, under this name of the machine.
    pub fn configure_as(&self, place: &Place, host: &str, port: u16) {
        let directory = place.path("home/.config/containers");
        std::fs::create_dir_all(&directory).expect("a directory");
        let registries = format!("[[registry]]\nlocation = '{host}:{port}'\ninsecure = true\n");
        std::fs::write(directory.join("registries.conf"), registries).expect("a file");
        // ann:secret
        let auth = json!({ "auths": { format!("{host}:{port}"): { "auth": "YW5uOnNlY3JldA==" } } });
        std::fs::write(directory.join("auth.json"), auth.to_string()).expect("a file");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Passes connections on, slowly until it is told to hurry.
pub struct Proxy {
    pub port: u16,
    hurry: Arc<AtomicBool>,
    passed: Arc<AtomicU64>,
}

impl Proxy {
    pub fn start(to: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let (hurry, passed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let proxy = Proxy { port, hurry: hurry.clone(), passed: passed.clone() };
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                let (hurry, passed) = (hurry.clone(), passed.clone());
                std::thread::spawn(move || pass(client, server, &hurry, &passed));
            }
        });
        proxy
    }

    /// From now on nothing waits. How many bytes have come down until now.
    pub fn hurry(&self) -> u64 {
        self.hurry.store(true, Ordering::Relaxed);
        self.passed()
    }

    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }
}

fn pass(client: TcpStream, server: TcpStream, hurry: &AtomicBool, passed: &AtomicU64) {
    let (mut up, mut to) = (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
    std::thread::spawn(move || {
        // Either side may leave; then the other is told.
        let _ = std::io::copy(&mut up, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
    let (mut from, mut client, mut buffer) = (server, client, [0; 16 << 10]);
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if client.write_all(&buffer[..count]).is_err() {
            break;
        }
        passed.fetch_add(count as u64, Ordering::Relaxed);
        if !hurry.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    let _ = client.shutdown(std::net::Shutdown::Both);
}

/// Writes an OCI layout whose image has one file with this content. The digest of its manifest.
pub fn layout(place: &Place, name: &str, content: &[u8]) -> String {
    let blobs = place.path(name).join("blobs/sha256");
    std::fs::create_dir_all(&blobs).expect("a directory");
    let put = |bytes: &[u8]| {
        let digest = bottle_evidence::sha256(bytes).to_string();
        std::fs::write(blobs.join(&digest), bytes).expect("a file");
        format!("sha256:{digest}")
    };
    let layer = archive(place, content);
    let architecture = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    let config = json!({ "architecture": architecture, "os": "linux", "config": { "Cmd": ["/bin/sh"] },
        "rootfs": { "type": "layers", "diff_ids": [put(&layer)] } })
    .to_string();
    let layer =
        json!({ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": put(&layer), "size": layer.len() });
    let kind = "application/vnd.oci.image.config.v1+json";
    let config = json!({ "mediaType": kind, "digest": put(config.as_bytes()), "size": config.len() });
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({ "schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer] }).to_string();
    let digest = put(manifest.as_bytes());
    let entry = json!({ "mediaType": kind, "digest": digest, "size": manifest.len(),
        "annotations": { "org.opencontainers.image.ref.name": "t" } });
    let index = json!({ "schemaVersion": 2, "manifests": [entry] }).to_string();
    std::fs::write(place.path(name).join("index.json"), index).expect("a file");
    std::fs::write(place.path(name).join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("a file");
    digest
}

fn archive(place: &Place, content: &[u8]) -> Vec<u8> {
    place.write("content", content);
    tool(Command::new("tar").args(["-c", "content"]).current_dir(place.path("")))
}

/// Bytes that nothing makes smaller.
pub fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = (0..count.div_ceil(8)).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.collect()
}
