//! Who works with the ids of a range? The role `steward`: in a user namespace of the caller's that has them, with every capability
//! there and none elsewhere. It unpacks, removes and reads what the caller itself could not, and is told to by the caller alone.
//! A seccomp filter leaves it files; who unpacks is a child that Landlock leaves the store.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bottle_evidence::Digest as EvidenceDigest;
use bottle_images::{
    Digest, Event, IdMap, Image, Layers, Listener, Store, UnpackOptions, remove_tree, unpack as unpack_image,
};
use bottle_netns::enter::{EnterError, no_user_namespace};
use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::{WaitStatus, waitpid};
use serde::{Deserialize, Serialize};

use super::mapper::{MapError, Mapper};
use crate::attest::process::file_digest;
use crate::channel::Channel;
use crate::confine;
use crate::memory;
use crate::process::Process;
use crate::report::chain;
use crate::roles::{Program, Role, RoleProcess, SpawnError};
use crate::sys;
use crate::tether::tie_to_supervisor;

/// How long it may take to make a user namespace.
const PATIENCE: Duration = Duration::from_secs(20);

/// To the steward: once `Mapped`, then one after the other is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
enum ToSteward {
    /// Its namespace has its ids.
    Mapped,
    /// Unpack an image of this store.
    Unpack { store: PathBuf, manifest: Digest, options: UnpackOptions },
    /// Remove a directory and all below.
    Remove { path: PathBuf },
    /// Hash a file as this process sees it.
    Digest { pid: u32, path: PathBuf },
}

/// From the steward.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
enum FromSteward {
    /// It has a user namespace, without ids yet.
    Made,
    /// Something happens meanwhile.
    Event(Event),
    /// Unpacked; the layers are beside this, as JSON.
    Unpacked,
    /// Removed.
    Removed,
    /// The file's SHA-256.
    Digest(EvidenceDigest),
    /// It did not work.
    Failed { what: String, hint: Option<String>, errno: Option<i32> },
}

/// Why nobody works with the ids of the range.
#[derive(Debug, thiserror::Error)]
pub enum StewardError {
    /// It could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// Its ids could not be mapped.
    #[error("cannot map the ids that /etc/subuid and /etc/subgid grant")]
    Map(#[from] MapError),
    /// It says that something did not work.
    #[error("{what}")]
    Said {
        /// What.
        what: String,
        /// What to do about it.
        hint: Option<String>,
        /// What the kernel said, if it was the kernel.
        errno: Option<i32>,
    },
    /// It says nothing, or something else than it should.
    #[error("the process that works with the ids of the range did not answer as it should")]
    Broken(#[source] io::Error),
}

impl StewardError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            StewardError::Said { hint, .. } => hint.clone(),
            StewardError::Map(_) => Some(
                "`bottle doctor` tries it; without the caller's lines in /etc/subuid and /etc/subgid a bottle has one id".into(),
            ),
            StewardError::Spawn(SpawnError::NotDispatched) => {
                Some("call bottle_runtime::dispatch() first in main".into())
            }
            StewardError::Spawn(_) | StewardError::Broken(_) => None,
        }
    }
}

/// The process, as who started it holds it. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Steward {
    channel: Mutex<Channel>,
    namespace: OwnedFd,
    _process: Process,
}

impl Steward {
    /// Starts it and has its ids mapped.
    pub(super) fn start(map: IdMap, mapper: &Mapper) -> Result<Steward, StewardError> {
        let RoleProcess { channel, process } = Program::running()?.spawn(Role::Steward)?;
        if !channel.wait_readable(PATIENCE).map_err(StewardError::Broken)? {
            return Err(StewardError::Broken(io::ErrorKind::TimedOut.into()));
        }
        match answer(&channel)?.0 {
            FromSteward::Made => {}
            _ => return Err(unexpected()),
        }
        mapper.map(process.pid(), map)?;
        let namespace = File::open(format!("/proc/{}/ns/user", process.pid())).map_err(StewardError::Broken)?.into();
        channel.send(&ToSteward::Mapped, &[]).map_err(StewardError::Broken)?;
        Ok(Steward { channel: Mutex::new(channel), namespace, _process: process })
    }

    /// Its user namespace.
    pub(super) fn namespace(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }

    pub(super) fn unpack(
        &self,
        store: &Store,
        manifest: Digest,
        options: UnpackOptions,
        listener: Listener<'_>,
    ) -> Result<Layers, StewardError> {
        let channel = self.ask(&ToSteward::Unpack { store: store.path().to_owned(), manifest, options })?;
        loop {
            match answer(&channel)? {
                (FromSteward::Event(event), _) => listener(event),
                (FromSteward::Unpacked, descriptors) => {
                    let beside = descriptors.into_iter().next().ok_or_else(unexpected)?;
                    let text = memory::read(beside).map_err(StewardError::Broken)?;
                    return serde_json::from_str(&text).map_err(|error| StewardError::Broken(error.into()));
                }
                _ => return Err(unexpected()),
            }
        }
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        let asked = self.ask(&ToSteward::Remove { path: path.to_owned() });
        match asked.and_then(|channel| answer(&channel)) {
            Ok((FromSteward::Removed, _)) => Ok(()),
            other => Err(os_error(other)),
        }
    }

    pub(super) fn digest(&self, pid: u32, path: &Path) -> io::Result<EvidenceDigest> {
        let asked = self.ask(&ToSteward::Digest { pid, path: path.to_owned() });
        match asked.and_then(|channel| answer(&channel)) {
            Ok((FromSteward::Digest(digest), _)) => Ok(digest),
            other => Err(os_error(other)),
        }
    }

    /// One at a time: who holds the channel has the answer.
    fn ask(&self, request: &ToSteward) -> Result<MutexGuard<'_, Channel>, StewardError> {
        let channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        channel.send(request, &[]).map_err(StewardError::Broken)?;
        Ok(channel)
    }
}

fn unexpected() -> StewardError {
    StewardError::Broken(io::ErrorKind::InvalidData.into())
}

fn answer(channel: &Channel) -> Result<(FromSteward, Vec<OwnedFd>), StewardError> {
    match channel.recv().map_err(StewardError::Broken)? {
        (FromSteward::Failed { what, hint, errno }, _) => Err(StewardError::Said { what, hint, errno }),
        other => Ok(other),
    }
}

/// As if the caller had done it itself.
fn os_error(answer: Result<(FromSteward, Vec<OwnedFd>), StewardError>) -> io::Error {
    match answer {
        Err(StewardError::Said { errno: Some(errno), .. }) => io::Error::from_raw_os_error(errno),
        Err(error) => io::Error::other(error),
        Ok(_) => io::ErrorKind::InvalidData.into(),
    }
}

/// Is the role from beginning to end. The calling process has one thread.
pub(crate) fn main(channel: Channel) -> ! {
    // It ends when nobody can tell it anything any more.
    let _ = serve(&channel);
    sys::exit_now(0)
}

fn serve(channel: &Channel) -> io::Result<()> {
    if let Err(error) = unshare(CloneFlags::CLONE_NEWUSER).map_err(no_user_namespace) {
        return channel.send(&refused(&error), &[]);
    }
    tie_to_supervisor(channel)?;
    channel.send(&FromSteward::Made, &[])?;
    let (ToSteward::Mapped, _) = channel.recv()? else { return Err(io::ErrorKind::InvalidData.into()) };
    if let Err(error) = confine::steward() {
        return channel.send(&FromSteward::Failed { what: chain(&error).join(": "), hint: None, errno: None }, &[]);
    }
    loop {
        match channel.recv()?.0 {
            ToSteward::Mapped => return Err(io::ErrorKind::InvalidData.into()),
            ToSteward::Unpack { store, manifest, options } => unpack(channel, &store, manifest, options)?,
            ToSteward::Remove { path } => {
                let removed = remove_tree(&path);
                channel.send(&removed.map_or_else(|error| failed(&error), |()| FromSteward::Removed), &[])?;
            }
            ToSteward::Digest { pid, path } => {
                let digest = file_digest(pid, &path, None).map_err(|error| error.source);
                channel.send(&digest.map_or_else(|error| failed(&error), FromSteward::Digest), &[])?;
            }
        }
    }
}

/// In a child that sees no file but the store's: archives are somebody else's bytes.
fn unpack(channel: &Channel, store: &Path, manifest: Digest, options: UnpackOptions) -> io::Result<()> {
    let Some(child) = sys::fork_child()? else {
        let answered = tie_to_supervisor(channel).and_then(|()| unpack_alone(channel, store, manifest, options));
        sys::exit_now(i32::from(answered.is_err()))
    };
    // Where it ends without an answer there is nobody to wait for.
    match waitpid(nix::unistd::Pid::from_raw(child), None)? {
        WaitStatus::Exited(_, 0) => Ok(()),
        other => {
            let what = format!("the process that unpacks ended before it was done: {other:?}");
            channel.send(&FromSteward::Failed { what, hint: None, errno: None }, &[])
        }
    }
}

fn unpack_alone(channel: &Channel, store: &Path, manifest: Digest, options: UnpackOptions) -> io::Result<()> {
    confine::unpacker(store).map_err(io::Error::other)?;
    // Who unpacks for nobody stops: the half-made layers are removed by the next pruning.
    let tell = |event| channel.send(&FromSteward::Event(event), &[]).unwrap_or_else(|_| sys::exit_now(1));
    let said =
        |error: &dyn std::error::Error, hint| FromSteward::Failed { what: chain(error).join(": "), hint, errno: None };
    let layers = Store::open(store)
        .map_err(|error| said(&error, error.hint()))
        .and_then(|store| {
            let image = Image::read(&store, manifest).map_err(|error| said(&error, error.hint()))?;
            Ok((store, image))
        })
        .and_then(|(store, image)| {
            let unpacked = unpack_image(&store, &image, options, &tell).map_err(|error| said(&error, error.hint()))?;
            Ok(unpacked.to_layers())
        });
    match layers {
        Ok(layers) => {
            let text = memory::write(&serde_json::to_string(&layers)?)?;
            channel.send(&FromSteward::Unpacked, &[text.as_fd()])
        }
        Err(failed) => channel.send(&failed, &[]),
    }
}

fn failed(error: &io::Error) -> FromSteward {
    FromSteward::Failed { what: error.to_string(), hint: None, errno: error.raw_os_error() }
}

fn refused(error: &EnterError) -> FromSteward {
    FromSteward::Failed { what: chain(error).join(": "), hint: error.hint().map(str::to_owned), errno: None }
}
