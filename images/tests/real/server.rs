//! A registry on loopback: Debian's docker-registry, with passwords, over plain HTTP.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::place::tool;

pub const USER: &str = "ann:secret";

/// A running registry, which ends with this value.
pub struct Server {
    child: Child,
    pub port: u16,
}

impl Server {
    /// Starts one whose files lie in the directory.
    pub fn start(directory: &Path) -> Server {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
        std::fs::create_dir_all(directory).expect("a directory");
        let (user, password) = USER.split_once(':').expect("both");
        let passwords = tool(Command::new("htpasswd").args(["-nbB", "-C", "4", user, password])).stdout;
        std::fs::write(directory.join("passwords"), passwords).expect("a file");
        let config = format!(
            "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\nstorage: {{ filesystem: {{ rootdirectory: {0}/data }} }}\n\
             http: {{ addr: '127.0.0.1:{port}' }}\nauth: {{ htpasswd: {{ realm: test, path: {0}/passwords }} }}\n",
            directory.display()
        );
        std::fs::write(directory.join("config.yml"), config).expect("a file");
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(directory.join("config.yml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("docker-registry: {error}\nhint: tests/run --install"));
        let server = Server { child, port };
        server.wait();
        server
    }

    fn wait(&self) {
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "the registry does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The name of an image in it.
    pub fn name(&self, image: &str) -> String {
        format!("127.0.0.1:{}/{image}", self.port)
    }

    /// Brings the image of a layout here.
    pub fn push(&self, layout: &Path, image: &str) {
        let from = format!("oci:{}:t", layout.display());
        let to = format!("docker://{}", self.name(image));
        tool(
            Command::new("skopeo")
                .args([
                    "--insecure-policy",
                    "--tmpdir",
                    "/tmp",
                    "copy",
                    "--quiet",
                    "--preserve-digests",
                    "--dest-tls-verify=false",
                    "--dest-creds",
                    USER,
                ])
                .args([from, to]),
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
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
