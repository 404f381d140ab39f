//! What may a process still do once it is confined? The last steps of every jail, the same for all.
//!
//! The order matters: ambient and bounding sets while there is a capability to do so, then groups, ids, the other
//! sets, no_new_privs, Landlock, and seccomp last. The workload's filter leaves it Landlock, which comes after it.

mod files;
mod filter;
mod limits;
mod numbers;
mod privileges;

mod helpers;
mod profile;
mod wall;
mod workload;

pub use limits::dumps_reach_a_helper;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

pub use filter::FilterError;
pub(crate) use profile::calls;
pub use profile::profile;
use serde::{Deserialize, Serialize};
pub(crate) use wall::tried;
pub use wall::{Standing, Wall};

/// Who a process becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The uid, as counted in the user namespace that the process is in.
    pub uid: u32,
    /// The gid, likewise.
    pub gid: u32,
}

impl Identity {
    /// One number for both.
    pub fn same(id: u32) -> Identity {
        Identity { uid: id, gid: id }
    }
}

/// Whether ports of the bottle are published, which init opens connections to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ports {
    /// None is.
    Unpublished,
    /// Some are.
    Published,
}

/// The step at which a process could not be confined. It must end.
#[derive(Debug, thiserror::Error)]
#[error("cannot confine the process: {step}")]
pub struct ConfineError {
    step: &'static str,
    source: io::Error,
}

fn at<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> ConfineError {
    move |error| ConfineError { step, source: error.into() }
}

/// Confines the calling process as the workload, for good: what it executes is confined too.
pub fn workload(identity: Identity) -> Result<(), ConfineError> {
    limits::set()?;
    privileges::give_up(Some(identity))?;
    filter::apply(&workload::filter())
}

/// Puts the workload's second wall around the calling process, which is confined as the workload: what of its files it may change.
pub fn within(wall: &Wall) -> Result<(), ConfineError> {
    wall::put_up(wall)
}

/// Confines who asks the gate from inside while a workload runs: as the workload is, but where it has come from. An ordinary user's
/// keeps its ids.
pub fn asker(identity: Option<Identity>) -> Result<(), ConfineError> {
    privileges::give_up(identity)?;
    filter::apply(&workload::filter())
}

/// Confines the workload's pid 1, which from then on only waits, forwards, reaps, and connects where ports are published.
pub fn init(identity: Identity, ports: Ports) -> Result<(), ConfineError> {
    privileges::give_up(Some(identity))?;
    filter::apply(&helpers::init(ports))
}

/// Confines the one who stands where init does beside a container. An ordinary user's keeps its ids.
pub fn warden(identity: Option<Identity>) -> Result<(), ConfineError> {
    privileges::give_up(identity)?;
    filter::apply(&helpers::init(Ports::Unpublished))
}

/// Confines who is to end a container without its supervisor: it can send SIGKILL by this descriptor of a process, and nothing else to
/// anybody. Root's keeps CAP_KILL.
pub fn keeper(identity: Option<Identity>, container: RawFd) -> Result<(), ConfineError> {
    privileges::keep_kill_alone(identity)?;
    filter::apply(&helpers::keeper(container))
}

/// Confines the gate process, which relays between descriptors that it was handed. An ordinary user's keeps its ids.
pub fn gate(identity: Option<Identity>) -> Result<(), ConfineError> {
    privileges::give_up(identity)?;
    filter::apply(&helpers::gate())
}

/// Confines the dialler, which connects, and reads the files and directories named, nothing else. An ordinary user's
/// keeps its ids.
pub fn dialler(identity: Option<Identity>, readable: &[PathBuf]) -> Result<(), ConfineError> {
    privileges::give_up(identity)?;
    files::only(readable)?;
    filter::apply(&helpers::dialler())
}

/// Confines the steward: its capabilities, which it is there for, reach files and nothing else.
pub fn steward() -> Result<(), ConfineError> {
    filter::apply(&helpers::steward())
}

/// Confines its child that unpacks to one directory.
pub fn unpacker(store: &Path) -> Result<(), ConfineError> {
    files::only_below(store)
}

/// SHA-256 in hex of the seccomp programs of each role: what the attestation asserts, since the kernel does not give
/// them back.
///
/// # Errors
/// [`FilterError`] on a processor that has no table.
pub fn digests(ports: Ports) -> Result<BTreeMap<String, String>, FilterError> {
    let filters = [
        ("workload", workload::filter()),
        ("init", helpers::init(ports)),
        ("gate", helpers::gate()),
        ("dialler", helpers::dialler()),
    ];
    filters.iter().map(|(role, filter)| Ok(((*role).to_owned(), filter.digest()?))).collect()
}
