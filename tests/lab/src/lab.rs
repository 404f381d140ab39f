//! How does a test hold a lab? Start it, run programs on its host, ask what the world saw.

use std::ffi::OsStr;
use std::io::{self, BufReader, Read};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::answer::Answer;
use crate::capture::{file, packet::Packet};
use crate::error::LabError;
use crate::helper::Helper;
use crate::journal::{DnsQuery, Received};
use crate::options::Options;
use crate::protocol::{Ask, Say};
use crate::world::control::{receive, send};

/// A world of its own. When this value is dropped, or its process ends in whatever way, the world ends too.
#[derive(Debug)]
pub struct Lab {
    helper: Helper,
    world: Child,
    channel: Mutex<BufReader<UnixStream>>,
    ca_pem: String,
    zone: Mutex<crate::Zone>,
}

impl Lab {
    /// Makes a world and waits until all its services listen.
    ///
    /// # Errors
    /// The step that failed, with a hint where one is known.
    pub fn start(options: Options) -> Result<Self, LabError> {
        let helper = options.helper.map_or_else(Helper::beside_current, Ok)?;
        let (ours, theirs) = UnixStream::pair().map_err(LabError::Lost)?;
        let world = helper
            .command("world")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .spawn()
            .map_err(|source| LabError::Spawn { program: helper.program(), source })?;
        let zone = Mutex::new(options.plan.zone.clone());
        let channel = Mutex::new(BufReader::new(ours));
        let mut lab = Self { helper, world, channel, ca_pem: String::new(), zone };
        match lab.ask(&Ask::Build(options.plan))? {
            Say::Ready { ca_pem } => lab.ca_pem = ca_pem,
            Say::Failed(why) => return Err(LabError::Build(why)),
            _ => return Err(confused()),
        }
        Ok(lab)
    }

    /// A command that runs a program on the lab's host as whoever runs the test, killed when the calling thread ends.
    ///
    /// An ordinary user stays the same user without capabilities, and may make user namespaces.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.enter(&[], program)
    }

    /// Like [`Lab::command`] for another user, by name or number. Only root can do that.
    pub fn command_as(&self, user: &str, program: impl AsRef<OsStr>) -> Command {
        self.enter(&["--user", user], program)
    }

    /// Like [`Lab::command`], with all capabilities over the lab's host, for looking at it or breaking it.
    pub fn privileged(&self, program: impl AsRef<OsStr>) -> Command {
        self.enter(&["--able"], program)
    }

    fn enter(&self, options: &[&str], program: impl AsRef<OsStr>) -> Command {
        let mut command = self.helper.command("enter");
        command.args(["--pid", &self.world.id().to_string()]).args(options).arg("--").arg(program);
        command
    }

    /// The lab's CA, also part of the system's CA bundle on the lab's host.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Where the lab's CA lies on the lab's host; outside it, this path does not exist.
    pub fn ca_pem_path(&self) -> PathBuf {
        Path::new(crate::world::DIRECTORY).join("ca.pem")
    }

    /// The world's process, whose namespaces are those of the lab's host.
    pub fn pid(&self) -> u32 {
        self.world.id()
    }

    /// The addresses that a name has now.
    pub fn name(&self, name: &str) -> Vec<IpAddr> {
        match self.zone.lock().unwrap_or_else(PoisonError::into_inner).find(name) {
            Answer::Addresses(addresses, _) => addresses,
            Answer::Sequence(steps) => steps.first().cloned().unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// Changes what the DNS says about a name, from the next query on.
    ///
    /// # Errors
    /// [`LabError::Lost`] if the world is gone.
    pub fn set_name(&self, name: &str, answer: Answer) -> Result<(), LabError> {
        self.zone.lock().unwrap_or_else(PoisonError::into_inner).set(name, answer.clone());
        match self.ask(&Ask::Set { name: name.into(), answer })? {
            Say::Done => Ok(()),
            _ => Err(confused()),
        }
    }

    /// Opens a listener on the lab's host, such as on `127.0.0.1:0`; what it gets is journaled as service `host`.
    ///
    /// # Errors
    /// [`LabError::Build`] if the address can't be bound.
    pub fn listen_on_host(&self, address: SocketAddr) -> Result<SocketAddr, LabError> {
        match self.ask(&Ask::Listen(address))? {
            Say::Bound(bound) => Ok(bound),
            Say::Failed(why) => Err(LabError::Build(why)),
            _ => Err(confused()),
        }
    }

    /// Every DNS question so far, whichever address it was sent to.
    ///
    /// # Errors
    /// [`LabError::Lost`] if the world is gone.
    pub fn dns_queries(&self) -> Result<Vec<DnsQuery>, LabError> {
        match self.ask(&Ask::Queries)? {
            Say::Queries(queries) => Ok(queries),
            _ => Err(confused()),
        }
    }

    /// Every connection and datagram so far that one service took; see [`Received::service`].
    ///
    /// Servers read a moment after clients write: wait for what must come with [`Lab::wait_for`], and prove with
    /// [`Lab::packets`] that nothing came.
    ///
    /// # Errors
    /// [`LabError::Lost`] if the world is gone.
    pub fn received(&self, service: &str) -> Result<Vec<Received>, LabError> {
        let (_, mut all) = self.journal()?;
        all.retain(|received| received.service == service);
        Ok(all)
    }

    /// Waits until a connection or datagram is as wanted, and gives it.
    ///
    /// # Errors
    /// [`LabError::TimedOut`] if none is in time.
    pub fn wait_for(&self, limit: Duration, wanted: impl Fn(&Received) -> bool) -> Result<Received, LabError> {
        let deadline = Instant::now() + limit;
        loop {
            let (revision, all) = self.journal()?;
            if let Some(found) = all.into_iter().find(&wanted) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(LabError::TimedOut(limit));
            }
            self.ask(&Ask::Changed { revision, milliseconds: left.as_millis() as u64 + 1 })?;
        }
    }

    /// Every packet so far on one link: `host/eth0`, `host/lo`, `internet/wan0` or `internet/lo`.
    ///
    /// Nothing that was sent before the call is missing.
    ///
    /// # Errors
    /// [`LabError::CaptureLost`] if the capture could not keep up.
    pub fn packets(&self, link: &str) -> Result<Vec<Packet>, LabError> {
        let mut packets = self.all_packets()?;
        packets.retain(|packet| packet.link == link);
        Ok(packets)
    }

    /// Every packet so far on every link, in time.
    ///
    /// # Errors
    /// [`LabError::CaptureLost`] if the capture could not keep up.
    pub fn all_packets(&self) -> Result<Vec<Packet>, LabError> {
        file::read(&self.pcapng()?)
    }

    /// The same as a pcapng file, for tools that show one.
    ///
    /// # Errors
    /// [`LabError::CaptureLost`] if the capture could not keep up.
    pub fn pcapng(&self) -> Result<Vec<u8>, LabError> {
        let mut channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        let (bytes, lost) = match exchange(&mut channel, &Ask::Packets)? {
            Say::Packets { bytes, lost } => (bytes, lost),
            _ => return Err(confused()),
        };
        let mut blob = vec![0; bytes];
        channel.read_exact(&mut blob).map_err(LabError::Lost)?;
        match lost.into_iter().find(|(_, packets)| *packets > 0) {
            Some((namespace, packets)) => Err(LabError::CaptureLost { namespace, packets }),
            None => Ok(blob),
        }
    }

    fn journal(&self) -> Result<(u64, Vec<Received>), LabError> {
        match self.ask(&Ask::Received)? {
            Say::Received(revision, received) => Ok((revision, received)),
            _ => Err(confused()),
        }
    }

    fn ask(&self, ask: &Ask) -> Result<Say, LabError> {
        exchange(&mut self.channel.lock().unwrap_or_else(PoisonError::into_inner), ask)
    }
}

fn exchange(channel: &mut BufReader<UnixStream>, ask: &Ask) -> Result<Say, LabError> {
    send(channel.get_ref(), ask).map_err(LabError::Lost)?;
    let said = receive(channel).map_err(LabError::Lost)?;
    said.ok_or_else(|| LabError::Lost(io::ErrorKind::UnexpectedEof.into()))
}

fn confused() -> LabError {
    LabError::Lost(io::Error::new(io::ErrorKind::InvalidData, "an answer to another question"))
}

impl Drop for Lab {
    /// Ends the world. What the kernel says is of no use here: a world that can't be killed is already gone.
    fn drop(&mut self) {
        let _ = self.world.kill();
        let _ = self.world.wait();
    }
}
