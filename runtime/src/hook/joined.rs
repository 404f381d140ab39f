//! Whose network does a container join? A bottle's that lives is behind that one's airlock already: a container there gets none of
//! its own, but nothing that would lead around it either.
//!
//! Engines join by a path, which no annotation chooses. What counts is which namespace the path means, by the kernel's word. Who
//! shares a bottle's processes, memory or mounts, and not its network, would be a way around its airlock.
//!
//! All that is compared is held: the namespaces of bottles and of the container by descriptors ([`Space`]), its first process by a pidfd ([`Made`]).
//! A number that was read by a path could mean another one by the time that it counts.

use std::io;
use std::path::{Path, PathBuf};

use bottle_evidence::verify::Living;

use super::configuration::Configuration;
use super::space::Space;
use crate::adopt::{HoldError, Made};
use crate::process::Alive;
use crate::records::{Known, LivingError, Name};

/// By which the engines of Kubernetes mark who joins a pod.
const POD_MEMBER: [(&str, &str); 2] =
    [("io.kubernetes.cri.container-type", "container"), ("io.kubernetes.cri-o.ContainerType", "container")];

const NETWORK: &str = "network";

/// What is held of a bottle: its network first, and what leads to its processes, or lends them a hand that reaches more.
const HELD: [&str; 5] = [NETWORK, "pid", "ipc", "mount", "user"];

/// A bottle that lives, and that a container joins.
#[derive(Debug)]
pub struct Joined {
    /// What it is called.
    pub name: Name,
    known: Box<Known>,
    /// Of its first process, as in [`HELD`].
    spaces: [Space; HELD.len()],
}

/// Why it can't be told.
#[derive(Debug, thiserror::Error)]
pub enum JoinedError {
    /// A namespace can't be looked at.
    #[error("cannot look at the namespace {path}")]
    Look {
        /// Where it is.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A bottle can't.
    #[error(transparent)]
    Living(#[from] LivingError),
    /// The container's own process can't be held.
    #[error(transparent)]
    Hold(#[from] HoldError),
    /// It would be near a bottle, and on another network.
    #[error("the container is in the {0} namespace of the bottle {1}, and not in its network")]
    Near(&'static str, Name),
    /// What its configuration names is no longer where it is.
    #[error("the container joins the network of the bottle {1}, and is in the {0} namespace of somebody else")]
    Elsewhere(&'static str, Name),
}

impl JoinedError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            JoinedError::Near(..) => Some("have it join the bottle's network too, or none of its namespaces".into()),
            JoinedError::Elsewhere(..) => Some("create it again".into()),
            JoinedError::Look { .. } | JoinedError::Living(_) | JoinedError::Hold(_) => None,
        }
    }
}

impl Joined {
    /// By the path that the configuration has for the network, before the container is there.
    ///
    /// # Errors
    /// [`JoinedError`]
    pub fn by_path(configuration: &Configuration, bottles: &[Known]) -> Result<Option<Joined>, JoinedError> {
        let paths = HELD.into_iter().filter_map(|kind| Some((kind, configuration.namespace(kind)?.joined()?)));
        let theirs: Vec<_> = paths.map(|(kind, path)| Ok((kind, look(path)?))).collect::<Result<_, JoinedError>>()?;
        among(bottles, None, &theirs)
    }

    /// By where a container is that the engine has created. It is not taken for its own company. What its configuration does not join is
    /// its own, or the engine's.
    ///
    /// # Errors
    /// [`JoinedError`]
    pub fn by_process(
        made: &Made,
        configuration: &Configuration,
        bottles: &[Known],
    ) -> Result<Option<Joined>, JoinedError> {
        let joins = |kind: &&str| configuration.namespace(kind).is_some_and(|namespace| namespace.joined().is_some());
        let own = |kind| Ok((kind, look(&place(made.pid(), kind))?));
        let found = || {
            let own: Vec<_> = HELD.into_iter().filter(joins).map(own).collect::<Result<_, JoinedError>>()?;
            let joined = among(bottles, Some(made.pid()), &own)?;
            let elsewhere = |joined: &Joined| own.iter().find(|(kind, there)| !joined.has(kind, there)).map(|it| it.0);
            match joined.as_ref().and_then(|joined| Some((elsewhere(joined)?, joined.name.clone()))) {
                Some((kind, name)) => Err(JoinedError::Elsewhere(kind, name)),
                None => Ok(joined),
            }
        };
        let found = found();
        // What was looked at by its number was its own.
        made.is_there()?;
        found
    }

    /// Whether this path means the bottle's own namespace of this kind (`pid`, `ipc`, …).
    pub(crate) fn shares(&self, kind: &str, path: &Path) -> bool {
        Space::at(path).is_ok_and(|there| self.has(kind, &there))
    }

    fn has(&self, kind: &str, there: &Space) -> bool {
        HELD.iter().zip(self.spaces.iter()).any(|(of, own)| *of == kind && own.is(there))
    }

    /// What is on record of it.
    pub(crate) fn known(&self) -> &Known {
        &self.known
    }
}

/// Whether the engine says that the container joins a pod, which then has one network for all.
pub fn is_pod_member(configuration: &Configuration) -> bool {
    let says = |(name, value): &(&str, &str)| configuration.annotations()?.get(*name).map(|said| said == value);
    POD_MEMBER.iter().any(|mark| says(mark) == Some(true))
}

/// The bottle whose network is among these namespaces, of which none may be another bottle's. One bottle is held at a time: many may
/// live, and a process may have few descriptors. `not` is a first process whose bottle does not count.
fn among(bottles: &[Known], not: Option<u32>, spaces: &[(&'static str, Space)]) -> Result<Option<Joined>, JoinedError> {
    let mut joined = None;
    for known in bottles {
        let Some((_, spaces_of)) = held(|| known.living())?.filter(|(first, _)| Some(*first) != not) else { continue };
        let bottle = Joined { name: known.record.name.clone(), known: Box::new(known.clone()), spaces: spaces_of };
        let mut shared =
            spaces.iter().filter(|(kind, there)| bottle.has(kind, there)).map(|(kind, _)| *kind).peekable();
        if joined.is_none() && shared.peek() == Some(&NETWORK) {
            joined = Some(bottle);
        } else if let Some(kind) = shared.find(|kind| *kind != NETWORK) {
            return Err(JoinedError::Near(kind, bottle.name));
        }
    }
    Ok(joined)
}

/// The first process of a bottle that lives and its namespaces, which are its own if it is the same process before and after they are held.
fn held(living: impl Fn() -> Result<Living, LivingError>) -> Result<Option<(u32, [Space; HELD.len()])>, JoinedError> {
    let first = || match living() {
        Ok(living) => Ok(Some(living.workload)),
        Err(LivingError::NotRunning(_)) => Ok(None),
        Err(error) => Err(JoinedError::from(error)),
    };
    let Some(before) = first()? else { return Ok(None) };
    let failed = |source| JoinedError::Look { path: format!("/proc/{}", before.pid), source };
    let Some(alive) = Alive::of(before.pid).map_err(failed)? else { return Ok(None) };
    let spaces = HELD.map(|kind| look(&place_at(&alive.base, kind)));
    if first()? != Some(before) {
        return Ok(None);
    }
    let [network, pid, ipc, mount, user] = spaces;
    Ok(Some((before.pid, [network?, pid?, ipc?, mount?, user?])))
}

/// Where a namespace of a process is in /proc.
pub(crate) fn place(pid: u32, kind: &str) -> PathBuf {
    place_at(Path::new(&format!("/proc/{pid}")), kind)
}

fn place_at(base: &Path, kind: &str) -> PathBuf {
    let short = match kind {
        "network" => "net",
        "mount" => "mnt",
        other => other,
    };
    base.join("ns").join(short)
}

fn look(path: &Path) -> Result<Space, JoinedError> {
    Space::at(path).map_err(|source| JoinedError::Look { path: path.display().to_string(), source })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use bottle_evidence::audit::Workload;

    use super::super::refusals::tests::{good, read};
    use super::*;

    fn own(start: u64) -> Result<Living, LivingError> {
        Ok(Living { workload: Workload { pid: std::process::id(), start }, network: 7 })
    }

    fn ended() -> Result<Living, LivingError> {
        Err(LivingError::NotRunning("gone".parse().unwrap()))
    }

    #[test]
    fn a_bottle_whose_first_process_is_another_when_its_namespaces_are_held_has_ended() {
        assert!(held(|| own(1)).unwrap().is_some());
        assert!(held(ended).unwrap().is_none());
        for after in [own(2), ended()] {
            let after = Cell::new(Some(after));
            let asked = Cell::new(0);
            let living = || match asked.replace(asked.get() + 1) {
                0 => own(1),
                _ => after.take().unwrap(),
            };
            assert!(held(living).unwrap().is_none());
        }
    }

    #[test]
    fn a_container_whose_number_is_another_processs_by_now_joins_nothing() {
        let configuration = read(&good());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let made = Made::hold(child.id()).unwrap();
        child.wait().unwrap();
        // This one is there.
        let made = made.succeeded(std::process::id());
        let found = Joined::by_process(&made, &configuration, &[]);
        assert!(matches!(found, Err(JoinedError::Hold(HoldError::Gone { .. }))), "{found:?}");
    }
}
