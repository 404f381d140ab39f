//! How does a supervisor hear what it is asked? Each client in a thread of its own, so that none can hold up the watch.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, chmodat, flock, openat, unlinkat};
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, listen, socket_with};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

use super::message::{Answer, Refusal, Request};
use crate::adopt::members::{self, Members};
use crate::channel::Channel;
use crate::exec::{self, Entrance};
use crate::memory;
use crate::renew::{Renewal, Step};
use crate::signal::Signal;

/// What the socket is called for a moment.
const NAME: &str = "control";

/// How many clients are heard at once; what comes beyond is hung up on.
const CLIENTS: usize = 64;

/// How long a client may take to say what it wants, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the run is asked.
#[derive(Debug)]
pub(crate) enum Demand {
    /// To send the first process a signal.
    Signal(Signal),
    /// To have it end within this time.
    Stop(Duration),
    /// To do a step of attesting it again.
    Renew(Step),
}

/// What a client's thread can do by itself.
#[derive(Default)]
pub(crate) struct Means {
    /// Nothing where nobody can enter.
    pub(crate) entrance: Option<Entrance>,
    /// Nothing where it can't be attested again.
    pub(crate) renewal: Option<Renewal>,
    /// Nothing where nobody can join.
    pub(crate) members: Option<Arc<Members>>,
}

/// The control socket of a run, on the current tokio runtime. Dropped, it takes no request any more.
pub(crate) struct Control {
    listener: AsyncFd<OwnedFd>,
    /// The socket's name, which is no longer anywhere else.
    name: OwnedFd,
    clients: Arc<()>,
    means: Arc<Means>,
    sender: mpsc::Sender<Demand>,
    asked: mpsc::Receiver<Demand>,
}

impl Control {
    /// Listens. `directory` is private, and all runs'.
    pub(crate) fn open(directory: &Path, means: Means) -> io::Result<Control> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let listener = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        let name = named_for_a_moment(&listener, directory)?;
        listen(&listener, CLIENTS as i32)?;
        let (sender, asked) = mpsc::channel(CLIENTS);
        let (listener, means) = (crate::sys::register(listener)?, Arc::new(means));
        Ok(Control { listener, name, clients: Arc::new(()), means, sender, asked })
    }

    /// The number of the descriptor that clients connect through.
    pub(crate) fn descriptor(&self) -> i32 {
        self.name.as_raw_fd()
    }

    /// Waits for the next request. Safe to drop halfway.
    pub(crate) async fn next(&mut self) -> Demand {
        loop {
            tokio::select! {
                Some(asked) = self.asked.recv() => return asked,
                ready = self.listener.readable() => match ready {
                    // A client that is gone again, or for whom there is no descriptor, is none.
                    Ok(mut ready) => if let Ok(accepted) = ready.try_io(accept) {
                        accepted.into_iter().for_each(|client| self.hear(client));
                    },
                    // It can't be waited for any more, which would else be asked again and again.
                    Err(_) => std::future::pending().await,
                },
            }
        }
    }

    fn hear(&self, client: OwnedFd) {
        let own = rustix::process::geteuid();
        let is_own = socket_peercred(&client).is_ok_and(|peer| peer.uid == own || peer.uid.is_root());
        if !is_own || Arc::strong_count(&self.clients) > CLIENTS {
            return;
        }
        let (sender, counted, means) = (self.sender.clone(), Arc::clone(&self.clients), Arc::clone(&self.means));
        let serving = std::thread::Builder::new().name("client".into());
        // Without a thread for it the client is hung up on.
        let _ = serving.spawn(move || {
            // A client that is not in order is hung up on.
            let _ = serve(&Channel::from_owned_fd(client), &sender, &means, counted);
        });
    }
}

fn accept(listener: &AsyncFd<OwnedFd>) -> io::Result<OwnedFd> {
    Ok(accept_with(listener.get_ref(), SocketFlags::CLOEXEC)?)
}

fn serve(client: &Channel, sender: &mpsc::Sender<Demand>, means: &Means, counted: Arc<()>) -> io::Result<()> {
    client.limit_sending(PATIENCE)?;
    if !client.wait_readable(PATIENCE)? {
        return Ok(());
    }
    let (request, descriptors) = client.recv::<Request>()?;
    // It gave up, and was told so, while this process was stopped or starved: nobody expects it to be done any more.
    if client.is_hung_up()? {
        return Ok(());
    }
    let asked = match request {
        Request::Exec(request) => {
            // Whoever enters stays, and is counted there.
            drop(counted);
            return match &means.entrance {
                Some(entrance) => exec::serve(entrance, client, &request, descriptors),
                None => exec::refuse(client),
            };
        }
        Request::Renew { nonce } => {
            let renewal = means.renewal.as_ref();
            return renewal.map_or(Ok(()), |renewal| hand_over(client, renewal.attest(nonce, sender)));
        }
        Request::Join => {
            let first = members::first_of(descriptors)?;
            let added = means.members.as_ref().map_or_else(|| Err(Refusal::ending()), |members| members.add(first));
            return client.send(&added.map_or_else(Answer::Refused, |()| Answer::Done), &[]);
        }
        Request::Signal { signal } => Demand::Signal(signal),
        Request::Stop { grace_seconds } => Demand::Stop(Duration::from_secs(grace_seconds)),
    };
    let answer = match sender.blocking_send(asked) {
        Ok(()) => Answer::Done,
        Err(_ending) => Answer::Refused(Refusal::ending()),
    };
    client.send(&answer, &[])
}

/// An attestation is longer than a message.
fn hand_over(client: &Channel, attested: Result<Vec<u8>, Refusal>) -> io::Result<()> {
    match attested {
        Ok(bytes) => {
            let text = String::from_utf8(bytes).map_err(io::Error::other)?;
            client.send(&Answer::Attested, &[memory::write(&text)?.as_fd()])
        }
        Err(refusal) => client.send(&Answer::Refused(refusal), &[]),
    }
}

/// Binds the socket and removes its name again; what still leads to it is returned. The path is short, however long the
/// directory's is.
///
/// One at a time, so what is already called so was left by a supervisor that was killed just then.
fn named_for_a_moment(socket: &OwnedFd, directory: &Path) -> io::Result<OwnedFd> {
    let directory = File::open(directory)?;
    rustix::io::retry_on_intr(|| flock(&directory, FlockOperation::LockExclusive))?;
    let opened = named(socket, &directory);
    // Whoever was forked meanwhile has the descriptor too.
    flock(&directory, FlockOperation::Unlock)?;
    opened
}

fn named(socket: &OwnedFd, directory: &File) -> io::Result<OwnedFd> {
    match unlinkat(directory, NAME, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    bind(socket, &SocketAddrUnix::new(format!("/proc/self/fd/{}/{NAME}", directory.as_raw_fd()))?)?;
    let opened = chmodat(directory, NAME, Mode::RUSR | Mode::WUSR, AtFlags::empty())
        .and_then(|()| openat(directory, NAME, OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty()));
    unlinkat(directory, NAME, AtFlags::empty())?;
    Ok(opened?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unnamed() -> OwnedFd {
        socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
    }

    #[test]
    fn a_name_that_a_killed_supervisor_left_is_in_nobodys_way_and_goes() {
        let directory = tempfile::tempdir().unwrap();
        let left = unnamed();
        bind(&left, &SocketAddrUnix::new(directory.path().join(NAME)).unwrap()).unwrap();
        let socket = unnamed();
        let name = named_for_a_moment(&socket, directory.path()).unwrap();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        listen(&socket, 1).unwrap();
        let through = SocketAddrUnix::new(format!("/proc/self/fd/{}", name.as_raw_fd())).unwrap();
        rustix::net::connect(unnamed(), &through).unwrap();
    }

    #[test]
    fn many_at_once_are_each_reached_by_their_own_name() {
        let directory = tempfile::tempdir().unwrap();
        let listening = || {
            let socket = unnamed();
            let name = named_for_a_moment(&socket, directory.path()).unwrap();
            listen(&socket, 1).unwrap();
            (socket, name)
        };
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..32).map(|_| scope.spawn(listening)).collect();
            for (socket, name) in all.into_iter().map(|one| one.join().unwrap()) {
                let through = SocketAddrUnix::new(format!("/proc/self/fd/{}", name.as_raw_fd())).unwrap();
                rustix::net::connect(unnamed(), &through).unwrap();
                accept_with(&socket, SocketFlags::NONBLOCK).unwrap();
            }
        });
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
