//! What can a case of the corpus do? A few steps, made one after the other on at most one connection.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use serde::Deserialize;

use crate::field::Field;
use crate::hello::{self, Hello};
use crate::query::Query;
use crate::sys;
use crate::text;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};
use crate::wire;

/// One step. Texts have braces (the run's own values) and escapes: see [`crate::text`]; a target is `HOST:PORT`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Step {
    /// Asks the default resolver for a name's address.
    Resolve(String),
    /// Connects to a name (resolved first) or an address.
    Connect(String),
    /// Connects to a unix socket by its path; `@` begins an abstract name.
    Unix(String),
    /// Sends a datagram to a unix socket: path or name, bytes.
    UnixDatagram(String, String),
    /// Connects to the explicit proxy and sends `CONNECT TARGET`; goes on whatever it answers.
    Proxy(String),
    /// Sends a ClientHello.
    Hello(Hello),
    /// Sends bytes.
    Send(String),
    /// Sends a datagram: target, bytes.
    Datagram(String, String),
    /// Asks a resolver, with whatever bytes.
    Query(Query),
    /// Waits for an answer, at most so many milliseconds, and drops it.
    Receive(u16),
    /// Does nothing for so many milliseconds.
    Wait(u16),
    /// Ends the sending side.
    Shut,
}

/// Makes the steps. One that fails is noted, and ends the attempt.
pub(crate) fn make(steps: &[Step], field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let mut talk = Talk { field, token, stream: None };
    for step in steps {
        let (what, result) = talk.step(step)?;
        if tried.call(&what, result).is_none() {
            break;
        }
    }
    talk.settle();
    Ok(())
}

struct Talk<'a> {
    field: &'a Field,
    token: &'a Token,
    stream: Option<TcpStream>,
}

type Made = (String, std::io::Result<()>);

impl Talk<'_> {
    fn step(&mut self, step: &Step) -> Result<Made, NotApplicable> {
        Ok(match step {
            Step::Resolve(name) => {
                let name = self.fill(name)?;
                (format!("resolve {name:?}"), wire::resolve(&name).map(drop))
            }
            Step::Connect(target) => {
                let target = self.fill(target)?;
                (format!("connect {target:?}"), self.connect(&target))
            }
            Step::Unix(name) => {
                let name = self.fill(name)?;
                (
                    format!("connect {name:?}"),
                    unix(&name, libc::SOCK_STREAM).map(|stream| self.stream = Some(stream.into())),
                )
            }
            Step::UnixDatagram(name, text) => {
                let (name, bytes) = (self.fill(name)?, self.bytes(text)?);
                let sent = unix(&name, libc::SOCK_DGRAM).and_then(|socket| sys::send_to(&socket, &bytes, &[]));
                (format!("datagram {name:?}"), sent.map(drop))
            }
            Step::Proxy(target) => {
                let (proxy, target) = (self.field.proxy()?, self.bytes(target)?);
                let request = [b"CONNECT ", &target[..], b" HTTP/1.1\r\nHost: ", &target, b"\r\n\r\n"].concat();
                (
                    "proxy".into(),
                    self.connect(&proxy.to_string())
                        .and_then(|()| self.send(&request))
                        .and_then(|()| self.receive(1500)),
                )
            }
            Step::Hello(hello) => {
                let pieces = hello::pieces(hello, |text| self.bytes(text))?;
                ("hello".into(), pieces.iter().try_for_each(|piece| self.send(piece)))
            }
            Step::Send(text) => {
                let bytes = self.bytes(text)?;
                ("send".into(), self.send(&bytes))
            }
            Step::Datagram(target, text) => {
                let (target, bytes) = (self.fill(target)?, self.bytes(text)?);
                (format!("datagram {target:?}"), wire::place(&target).and_then(|place| datagram(place, &bytes)))
            }
            Step::Query(query) => {
                let to = query.to.as_ref().map(|to| self.fill(to)).transpose()?;
                let bytes = query.bytes(self.token.number(), |text| self.bytes(text), |text| self.fill(text))?;
                ("query".into(), ask(to.as_deref(), query.tcp, &bytes))
            }
            Step::Receive(milliseconds) => ("receive".into(), self.receive(*milliseconds)),
            Step::Wait(milliseconds) => {
                std::thread::sleep(Duration::from_millis((*milliseconds).into()));
                ("wait".into(), Ok(()))
            }
            Step::Shut => ("shut".into(), self.open().and_then(|stream| stream.shutdown(Shutdown::Write))),
        })
    }

    fn fill(&self, text: &str) -> Result<String, NotApplicable> {
        text::fill(text, self.field, self.token)
    }

    fn bytes(&self, text: &str) -> Result<Vec<u8>, NotApplicable> {
        text::bytes(&self.fill(text)?).ok_or(NotApplicable(format!("an escape that means nothing in {text:?}")))
    }

    fn connect(&mut self, target: &str) -> std::io::Result<()> {
        self.stream = Some(wire::connect(wire::place(target)?)?);
        Ok(())
    }

    fn open(&mut self) -> std::io::Result<&mut TcpStream> {
        self.stream.as_mut().ok_or(std::io::ErrorKind::NotConnected.into())
    }

    fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.open()?.write_all(bytes)
    }

    fn receive(&mut self, milliseconds: u16) -> std::io::Result<()> {
        let stream = self.open()?;
        stream.set_read_timeout(Some(Duration::from_millis(milliseconds.max(1).into())))?;
        match stream.read(&mut [0; 4096])? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Waits until the other side has answered or ended, so that nothing is lost on the way.
    fn settle(&mut self) {
        if self.open().and_then(|stream| stream.shutdown(Shutdown::Write)).is_ok() {
            let _ = self.receive(700);
        }
    }
}

/// Connects to a unix socket; what is spoken over it needs no more than a TCP connection has.
fn unix(name: &str, kind: i32) -> std::io::Result<OwnedFd> {
    let socket = sys::socket(libc::AF_UNIX, kind, 0)?;
    let address = name.strip_prefix('@').map_or_else(|| name.into(), |name| format!("\0{name}"));
    sys::connect(&socket, &sys::unix(address.as_bytes())).map(|_| socket)
}

/// Asks the resolver that is named, or the default one. No answer in time is no error: the question has left.
fn ask(to: Option<&str>, tcp: bool, bytes: &[u8]) -> std::io::Result<()> {
    let to = to.map_or(Ok(wire::resolver()), wire::place)?;
    if !tcp {
        return datagram(to, bytes);
    }
    let framed = [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    wire::deliver(to, &framed)
}

/// A datagram has left, or been refused, when the next one on the same socket says so.
fn datagram(to: SocketAddr, bytes: &[u8]) -> std::io::Result<()> {
    match wire::ask(to, bytes) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(()),
        other => other.map(drop),
    }
}
