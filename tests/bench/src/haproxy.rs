//! What do others reach who do less? haproxy on the lab's host, in TCP mode: splicing between the same two pairs of links,
//! and looking at the server name of TLS. It decides nothing else and records nothing.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::measure::Setting;
use crate::path::HOST_END;
use crate::{Failure, path, serve};

/// A running haproxy.
pub(crate) struct Haproxy(Child);

impl Haproxy {
    /// Listens at the host's end of the routed client's link, on the server's ports.
    pub(crate) fn before(name: &str, setting: &Setting, host_namespace: &Path) -> Result<Haproxy, Failure> {
        let file = setting.at("haproxy.cfg");
        fs::write(&file, configuration(name))?;
        let mut command: Command = path::within(host_namespace, "haproxy");
        command.arg("-db").arg("-q").arg("-f").arg(file).stdin(Stdio::null()).stdout(Stdio::null());
        let mut haproxy = Haproxy(command.spawn()?);
        while !haproxy.listens() {
            if let Some(status) = haproxy.0.try_wait()? {
                return Err(format!("haproxy: {status}\nhint: apt-get install haproxy").into());
            }
            std::thread::yield_now();
        }
        Ok(haproxy)
    }

    /// In the table of its own namespace; it has the routed client's link for itself.
    fn listens(&self) -> bool {
        let table = fs::read_to_string(format!("/proc/{}/net/tcp", self.0.id())).unwrap_or_default();
        [serve::SOURCE, serve::SINK, serve::TLS]
            .iter()
            .all(|port| table.contains(&format!(":{port:04X} 00000000:0000 0A")))
    }
}

impl Drop for Haproxy {
    /// What can't be killed is gone already.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// As it comes from Debian: a thread for each processor.
fn configuration(name: &str) -> String {
    use crate::world::ADDRESS;
    let mut text = String::from(
        "global\n maxconn 1000\ndefaults\n mode tcp\n timeout connect 10s\n timeout client 60s\n timeout server 60s\n \
         option splice-request\n option splice-response\n",
    );
    for port in [serve::SOURCE, serve::SINK] {
        text += &format!("listen plain{port}\n bind {HOST_END}:{port}\n server server {ADDRESS}:{port}\n");
    }
    let port = serve::TLS;
    text += &format!(
        "listen tls\n bind {HOST_END}:{port}\n tcp-request inspect-delay 5s\n \
         tcp-request content accept if {{ req.ssl_sni -i {name} }}\n \
         tcp-request content reject if {{ req.ssl_hello_type 1 }}\n server server {ADDRESS}:{port}\n"
    );
    text
}
