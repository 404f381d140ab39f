//! What is bottle's path compared with? A namespace whose packets the kernel routes through the lab's host: two pairs of
//! links, as many as between a workload and the internet.

use std::ffi::OsStr;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bottle_lab::Lab;

use crate::Failure;

pub(crate) const HOST_END: Ipv4Addr = Ipv4Addr::new(11, 0, 9, 1);
const CLIENT_END: Ipv4Addr = Ipv4Addr::new(11, 0, 9, 2);
const PREFIX: &str = "11.0.9.0/30";
/// As bottle's own links have it.
const MTU: &str = "65535";

/// The congestion control of all three namespaces. One that paces (BBR) would slow whoever sends over a whole network
/// less than whoever sends over a piece of it; this one every kernel has, and every namespace may choose it.
const UNPACED: &str = "reno";

/// The routed client's namespace, held by a process that sleeps in it.
pub(crate) struct Routed {
    holder: Child,
}

impl Routed {
    /// Joins a new namespace to the host, lets the host forward, and tells the internet the way back.
    pub(crate) fn beside(world: u32, internet: &Path, host: Ipv4Addr) -> Result<Routed, Failure> {
        let mut holder = Command::new("unshare");
        holder.args(["--net", "--kill-child", "sleep", "infinity"]).stdin(Stdio::null()).stdout(Stdio::null());
        let routed = Routed { holder: holder.spawn()? };
        let host_namespace = host_of(world);
        let (client, pid) = (routed.namespace(), routed.holder.id().to_string());
        while fs::read_link(&client)? == fs::read_link("/proc/self/ns/net")? {
            std::thread::yield_now();
        }
        let (here, there) = (format!("{HOST_END}/30"), format!("{CLIENT_END}/30"));
        let lines: [(&Path, &[&str]); 10] = [
            (&host_namespace, &["link", "add", "routed0", "type", "veth", "peer", "name", "eth0", "netns", &pid]),
            (&host_namespace, &["link", "set", "routed0", "mtu", MTU, "up"]),
            (&host_namespace, &["address", "add", &here, "dev", "routed0"]),
            (&client, &["link", "set", "lo", "up"]),
            (&client, &["link", "set", "eth0", "mtu", MTU, "up"]),
            (&client, &["address", "add", &there, "dev", "eth0"]),
            (&client, &["route", "add", "default", "via", &HOST_END.to_string()]),
            (&host_namespace, &["link", "set", "eth0", "mtu", MTU]),
            (internet, &["link", "set", "wan0", "mtu", MTU]),
            // Where the internet keeps the addresses that it owns: nearly all.
            (internet, &["route", "add", PREFIX, "via", &host.to_string(), "dev", "wan0", "table", "local"]),
        ];
        for (namespace, words) in lines {
            run(within(namespace, "ip").args(words))?;
        }
        set(&host_namespace, "ipv4/conf/all/forwarding", "1")?;
        for namespace in [&host_namespace, internet, &client] {
            set(namespace, "ipv4/tcp_congestion_control", UNPACED)?;
        }
        Ok(routed)
    }

    /// A program there, with the resolver of the lab's host.
    pub(crate) fn command(&self, lab: &Lab, program: impl AsRef<OsStr>) -> Command {
        let mut command = lab.privileged("nsenter");
        command.arg(format!("--net={}", self.namespace().display())).arg("--").arg(program);
        command
    }

    fn namespace(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/net", self.holder.id()))
    }
}

impl Drop for Routed {
    /// The namespace ends with the process that holds it.
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A program in a network namespace.
pub(crate) fn within(namespace: &Path, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net={}", namespace.display())).arg("--").arg(program);
    command
}

/// The namespace of the lab's host.
pub(crate) fn host_of(world: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{world}/ns/net"))
}

/// The namespace of the lab's internet: that of the world's threads which are not on the host.
pub(crate) fn internet_of(world: u32) -> Result<PathBuf, Failure> {
    let host = fs::read_link(format!("/proc/{world}/ns/net"))?;
    for thread in fs::read_dir(format!("/proc/{world}/task"))? {
        let namespace = thread?.path().join("ns/net");
        if fs::read_link(&namespace)? != host {
            return Ok(namespace);
        }
    }
    Err("the lab has no internet".into())
}

fn set(namespace: &Path, setting: &str, value: &str) -> Result<(), Failure> {
    run(within(namespace, "sh").args(["-c", &format!("echo {value} > /proc/sys/net/{setting}")]))
}

fn run(command: &mut Command) -> Result<(), Failure> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{command:?}: {said}").into()) }
}
