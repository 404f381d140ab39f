//! What does the world answer its owner? One answer to each question, in order.

use std::io::{self, BufRead, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::capture::{Capture, file};
use crate::internet::Internet;
use crate::protocol::{Ask, Say};

/// What the world has to answer with. Lives in the main thread, so that what it opens is opened on the host.
pub(crate) struct Control {
    internet: Arc<Internet>,
    captures: Vec<Capture>,
}

impl Control {
    pub(crate) fn new(internet: Arc<Internet>, captures: Vec<Capture>) -> Self {
        Self { internet, captures }
    }

    pub(crate) fn answer(&self, channel: &UnixStream, ask: Ask) -> io::Result<()> {
        let journal = self.internet.journal();
        let say = match ask {
            Ask::Build(_) => Say::Failed("the world is built already".into()),
            Ask::Queries => Say::Queries(journal.queries()),
            Ask::Received => {
                let (revision, received) = journal.received();
                Say::Received(revision, received)
            }
            Ask::Changed { revision, milliseconds } => {
                Say::Revision(journal.changed(revision, Duration::from_millis(milliseconds)))
            }
            Ask::Set { name, answer } => {
                self.internet.zone().set(&name, answer);
                Say::Done
            }
            Ask::Listen(address) => match self.listen(address) {
                Ok(bound) => Say::Bound(bound),
                Err(error) => Say::Failed(format!("listening on {address}: {error}")),
            },
            Ask::Packets => return self.packets(channel),
        };
        send(channel, &say)
    }

    fn listen(&self, address: SocketAddr) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address)?;
        let bound = listener.local_addr()?;
        self.internet.collect_for_host(listener)?;
        Ok(bound)
    }

    fn packets(&self, mut channel: &UnixStream) -> io::Result<()> {
        let (mut all, mut losses) = (Vec::new(), Vec::new());
        for capture in &self.captures {
            let (packets, lost) = capture.packets()?;
            all.extend(packets);
            losses.push((capture.namespace().to_owned(), lost));
        }
        all.sort_by_key(|packet| packet.nanoseconds);
        let blob = file::write(&all);
        send(channel, &Say::Packets { bytes: blob.len(), lost: losses })?;
        channel.write_all(&blob)
    }
}

pub(crate) fn send(mut channel: &UnixStream, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    channel.write_all(&line)
}

/// The next message, or nothing at the end of the channel.
pub(crate) fn receive<T: DeserializeOwned>(reader: &mut impl BufRead) -> io::Result<Option<T>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_str(&line)?))
}
