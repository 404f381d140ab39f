//! Which packets passed? A capture on all links of one namespace, kept in memory.

pub(crate) mod file;
pub mod packet;

use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, thread};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::sys::PacketRing;
use packet::Packet;

/// A capture on one namespace. A thread of its own empties the ring; asking for packets empties it first, and since the
/// kernel fills the ring before a send returns, nothing that was sent before asking is missing.
pub(crate) struct Capture {
    namespace: &'static str,
    state: Arc<Mutex<State>>,
}

struct State {
    ring: PacketRing,
    links: Vec<(u32, String)>,
    packets: Vec<Packet>,
    lost: u64,
}

impl Capture {
    /// Starts a capture on all links that the current thread's network namespace has or will have.
    pub(crate) fn start(namespace: &'static str) -> io::Result<Self> {
        let ring = PacketRing::open()?;
        let descriptor = ring.descriptor()?;
        let state = Arc::new(Mutex::new(State { ring, links: Vec::new(), packets: Vec::new(), lost: 0 }));
        let shared = Arc::clone(&state);
        thread::Builder::new().name(format!("capture-{namespace}")).spawn(move || {
            loop {
                let mut wanted = [PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)];
                match poll(&mut wanted, PollTimeout::NONE) {
                    Ok(_) => shared.lock().unwrap_or_else(PoisonError::into_inner).drain(namespace),
                    Err(nix::Error::EINTR) => {}
                    Err(_) => return,
                }
            }
        })?;
        Ok(Self { namespace, state })
    }

    /// All packets so far, and how many were lost.
    pub(crate) fn packets(&self) -> io::Result<(Vec<Packet>, u64)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.drain(self.namespace);
        state.lost += u64::from(state.ring.lost()?);
        Ok((state.packets.clone(), state.lost))
    }

    pub(crate) fn namespace(&self) -> &'static str {
        self.namespace
    }
}

impl State {
    fn drain(&mut self, namespace: &str) {
        let first = self.packets.len();
        let (packets, mut links) = (&mut self.packets, Vec::new());
        self.ring.drain(|frame| {
            links.push(frame.link);
            packets.push(Packet {
                link: String::new(),
                outgoing: frame.outgoing,
                nanoseconds: u64::from(frame.seconds) * 1_000_000_000 + u64::from(frame.nanoseconds),
                length: frame.length,
                bytes: frame.bytes.to_vec(),
            });
        });
        for (at, link) in links.into_iter().enumerate() {
            self.packets[first + at].link = self.link(link, namespace);
        }
    }

    /// `host/eth0`: the namespace and the link's name in it.
    fn link(&mut self, index: u32, namespace: &str) -> String {
        if let Some((_, name)) = self.links.iter().find(|(link, _)| *link == index) {
            return name.clone();
        }
        let name = self.ring.link_name(index).unwrap_or_else(|| format!("link{index}"));
        let name = format!("{namespace}/{name}");
        self.links.push((index, name.clone()));
        name
    }
}
