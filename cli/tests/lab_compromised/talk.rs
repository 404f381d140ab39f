//! How does a puppet speak on the channels that it holds, and what does it hold?

use std::collections::BTreeMap;
use std::fs;

use rustix::io::Errno;

use crate::host;
use crate::puppet::Puppet;
use crate::running::Held;
use crate::world::{World, said};

/// How long a held helper waits for an answer; less than what counts as silence.
const ANSWER: u64 = 1500;

impl Puppet {
    /// Its descriptors that are sockets of this family and kind.
    pub fn sockets(&self, family: i32, kind: i32) -> Vec<u64> {
        let is = |fd: &u64| {
            self.option(*fd, libc::SO_DOMAIN) == Some(family) && self.option(*fd, libc::SO_TYPE) == Some(kind)
        };
        (0..1024).filter(is).collect()
    }

    fn option(&self, fd: u64, name: i32) -> Option<i32> {
        self.forget();
        let (value, length) = (self.put(&[0; 4]), self.put(&4_u32.to_ne_bytes()));
        let level = libc::SOL_SOCKET as u64;
        self.call(libc::SYS_getsockopt, &[fd, level, name as u64, value, length]).ok()?;
        Some(i32::from_ne_bytes(self.get(value, 4).try_into().unwrap()))
    }

    /// Its end of the channel to another of bottle's processes.
    pub fn channel_to(&self, world: &World, other: &Held) -> u64 {
        let theirs = host::links(&format!("/proc/{}/fd", other.pid));
        let peers = peers(world);
        let leads = |fd: &u64| {
            let link = fs::read_link(format!("/proc/{}/fd/{fd}", self.id())).unwrap();
            peers.get(link.to_str().unwrap()).is_some_and(|peer| theirs.contains(peer))
        };
        let found = self.sockets(libc::AF_UNIX, libc::SOCK_SEQPACKET).into_iter().find(leads);
        found.expect("a channel to it")
    }

    /// One message with descriptors beside it.
    pub fn say(&self, channel: u64, message: &[u8], descriptors: &[i32]) -> Result<i64, Errno> {
        self.forget();
        let words = |words: &[u64]| words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<u8>>();
        let vector = self.put(&words(&[self.put(message), message.len() as u64]));
        let length = 16 + 4 * descriptors.len() as u64;
        let rights = [libc::SOL_SOCKET, libc::SCM_RIGHTS].into_iter().chain(descriptors.iter().copied());
        let control = [words(&[length]), rights.flat_map(i32::to_ne_bytes).collect()].concat();
        let (control, length) = if descriptors.is_empty() { (0, 0) } else { (self.put(&control), length) };
        let header = self.put(&words(&[0, 0, vector, 1, control, length, 0]));
        self.call(libc::SYS_sendmsg, &[channel, header, (libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT) as u64])
    }

    /// The next message, empty at the end of the channel; the descriptors beside it are left to the kernel, which closes them.
    pub fn hear(&self, channel: u64) -> String {
        self.forget();
        let [seconds, nanoseconds] = [ANSWER / 1000, ANSWER % 1000 * 1_000_000].map(u64::to_ne_bytes);
        let wanted = [(channel as i32).to_ne_bytes().as_slice(), &libc::POLLIN.to_ne_bytes(), &[0; 2]].concat();
        let (wanted, limit) = (self.put(&wanted), self.put(&[seconds, nanoseconds].concat()));
        assert_eq!(self.call(libc::SYS_ppoll, &[wanted, 1, limit, 0, 0]), Ok(1), "no answer");
        let (room, size) = (self.space(64 << 10), 64 << 10);
        let length = self.call(libc::SYS_recvfrom, &[channel, room, size, libc::MSG_DONTWAIT as u64, 0, 0]);
        String::from_utf8(self.get(room, length.unwrap().try_into().unwrap())).unwrap()
    }

    /// Asks the dialler, and its answer.
    pub fn ask(&self, channel: u64, message: &str) -> String {
        self.say(channel, message.as_bytes(), &[]).unwrap();
        self.answer(channel)
    }

    /// The dialler's answer, past what it asks by itself.
    pub fn answer(&self, channel: u64) -> String {
        loop {
            let answer = self.hear(channel);
            if answer != "\"Claim\"" {
                return answer;
            }
        }
    }

    /// Sends bytes by a socket to an IPv4 or IPv6 address, if it can.
    pub fn send_to(&self, socket: u64, to: std::net::SocketAddr, bytes: &[u8]) -> Result<i64, Errno> {
        self.forget();
        let (address, length) = self.address(to);
        let bytes_at = self.put(bytes);
        let flags = (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as u64;
        self.call(libc::SYS_sendto, &[socket, bytes_at, bytes.len() as u64, flags, address, length])
    }

    pub fn connect(&self, socket: u64, to: std::net::SocketAddr) -> Result<i64, Errno> {
        self.forget();
        let (address, length) = self.address(to);
        self.call(libc::SYS_connect, &[socket, address, length])
    }

    /// A sockaddr, and its length.
    pub fn address(&self, to: std::net::SocketAddr) -> (u64, u64) {
        let (family, port) = (if to.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }, to.port().to_be_bytes());
        let start = [&(family as u16).to_ne_bytes()[..], &port].concat();
        let bytes = match to.ip() {
            std::net::IpAddr::V4(ip) => [&start[..], &ip.octets(), &[0; 8]].concat(),
            std::net::IpAddr::V6(ip) => [&start[..], &[0; 4], &ip.octets(), &[0; 4]].concat(),
        };
        (self.put(&bytes), bytes.len() as u64)
    }
}

/// Which unix socket of the lab's host is connected to which, as the kernel says.
fn peers(world: &World) -> BTreeMap<String, String> {
    let listed = said(world.privileged("ss").arg("-xanH"));
    let row = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        Some((format!("socket:[{}]", fields.get(5)?), format!("socket:[{}]", fields.get(7)?)))
    };
    listed.ok().lines().filter_map(row).collect()
}
