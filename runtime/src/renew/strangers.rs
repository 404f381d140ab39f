//! Is each process in a running bottle what it must be? All of /proc is looked through, threads too.
//!
//! Processes come and go meanwhile. One that is past its last instruction, or gone, executes nothing and is passed over; what is not as
//! it must be is looked at once more a moment later, since a process may pass through a namespace and be gone again. That moment is one and the
//! same for all of them, however many there are.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::powers::Powers;
use crate::attest::membership::{kernel_threads, namespaces_of};
use crate::attest::process::{ProcessFacts, identify_at};
use crate::process::{Stat, is_gone};

/// Who was found in a bottle.
#[derive(Debug, Default)]
pub(super) struct Inside {
    /// Process ids in order, init's among them.
    pub(super) pids: Vec<u32>,
    /// How many threads they have.
    pub(super) threads: u64,
}

/// Why it is not known that all are confined.
#[derive(Debug)]
pub(super) enum Stranger {
    /// One is not.
    Found(String),
    /// /proc can't be read.
    Unknown(io::Error),
}

impl From<io::Error> for Stranger {
    fn from(error: io::Error) -> Stranger {
        Stranger::Unknown(error)
    }
}

/// What each process in a bottle must be.
#[derive(Clone, Copy)]
pub(super) enum Rule<'a> {
    /// As confined as the first one was. Nobody else has its user namespace, so whoever is in that is judged wherever it is.
    AsFirst(&'a ProcessFacts),
    /// Confined by the engine of a container: without power over the airlock.
    Without(&'a Powers),
}

impl Rule<'_> {
    /// How long one that is not as it must be may take to be gone. An engine's runtime that enters a container gives up what it has there.
    const fn passing(self) -> Duration {
        Duration::from_secs(match self {
            Rule::AsFirst(_) => 1,
            Rule::Without(_) => 5,
        })
    }
}

/// Finds all in the agent's network namespace, and demands that they are what the rule says. Nobody may be in the gate's. Some are
/// judged elsewhere.
pub(super) fn look(networks: [u64; 2], elsewhere: &[u32], rule: Rule<'_>) -> Result<Inside, Stranger> {
    let (mut inside, mut suspects, kernel) = (Inside::default(), Vec::new(), kernel_threads());
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if kernel.contains(&pid) {
            continue;
        }
        let base = entry.path();
        let Some(place) = place(&base, networks, rule)? else { continue };
        if !elsewhere.contains(&pid) && wrong(&base, place, rule)?.is_some() {
            suspects.extend(Suspect::hold(pid, &base)?);
        }
        if place == Place::Agent {
            inside.threads += u64::from(Stat::read_at(&base)?.map_or(0, |stat| stat.threads));
            inside.pids.push(pid);
        }
    }
    still_wrong(passed(suspects, rule.passing())?, networks, rule)?;
    inside.pids.sort_unstable();
    Ok(inside)
}

/// In which way a process belongs to the bottle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It has a thread in the agent's network namespace.
    Agent,
    /// It has one in the gate's.
    Gate,
    /// It is one of the workload's, and elsewhere.
    Elsewhere,
    /// It is somebody else's, and among the container's processes.
    Beside,
}

fn place(base: &Path, [agent, gate]: [u64; 2], rule: Rule<'_>) -> io::Result<Option<Place>> {
    let networks = namespaces_of(base)?;
    if networks.contains(&gate) {
        return Ok(Some(Place::Gate));
    }
    if networks.contains(&agent) {
        return Ok(Some(Place::Agent));
    }
    let first = match rule {
        Rule::AsFirst(first) => first,
        Rule::Without(powers) => return Ok(powers.is_beside(base).then_some(Place::Beside)),
    };
    let user = match std::fs::metadata(base.join("ns/user")) {
        // Another user's, or gone.
        Err(error) if is_gone(&error) || error.kind() == io::ErrorKind::PermissionDenied => return Ok(None),
        user => user?.ino(),
    };
    // One that leaves has no network any more.
    let of_workload = first.namespaces.get("user").is_some_and(|name| *name == format!("user:[{user}]"));
    Ok((of_workload && !networks.is_empty()).then_some(Place::Elsewhere))
}

/// A process that was not as it must be.
struct Suspect {
    pid: u32,
    base: PathBuf,
    /// By which it is told from another one of its number.
    start: u64,
    /// Nothing where there is no descriptor left for it: then it is waited for to the end of the moment.
    pidfd: Option<OwnedFd>,
}

impl Suspect {
    /// Nothing of one that is gone.
    fn hold(pid: u32, base: &Path) -> io::Result<Option<Suspect>> {
        let Some(stat) = Stat::read_at(base)? else { return Ok(None) };
        let id = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
        match pidfd_open(id, PidfdFlags::empty()) {
            Err(rustix::io::Errno::SRCH) => Ok(None),
            pidfd => Ok(Some(Suspect { pid, base: base.to_owned(), start: stat.start, pidfd: pidfd.ok() })),
        }
    }
}

/// Those that have not ended when the moment is over, or none as soon as all have.
fn passed(mut suspects: Vec<Suspect>, moment: Duration) -> io::Result<Vec<Suspect>> {
    let end = Instant::now() + moment;
    while !suspects.is_empty() {
        let left = end.saturating_duration_since(Instant::now());
        let mut held: Vec<_> =
            suspects.iter().filter_map(|it| Some(PollFd::new(it.pidfd.as_ref()?, PollFlags::IN))).collect();
        let limit = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: i64::from(left.subsec_nanos()) };
        rustix::io::retry_on_intr(|| poll(&mut held, Some(&limit)))?;
        let mut ended = held.iter().map(|fd| !fd.revents().is_empty()).collect::<Vec<bool>>().into_iter();
        suspects.retain(|it| it.pidfd.is_none() || ended.next() != Some(true));
        if left.is_zero() {
            break;
        }
    }
    Ok(suspects)
}

/// Looks once more at all of them.
fn still_wrong(suspects: Vec<Suspect>, networks: [u64; 2], rule: Rule<'_>) -> Result<(), Stranger> {
    for Suspect { pid, base, start, .. } in suspects {
        let place = place(&base, networks, rule)?;
        let again = place.map(|place| wrong(&base, place, rule)).transpose()?.flatten();
        let same = Stat::read_at(&base)?.is_some_and(|stat| stat.start == start);
        if let Some(what) = again.filter(|_| same) {
            return Err(Stranger::Found(format!("process {pid} {what}")));
        }
    }
    Ok(())
}

/// What is wrong with a process that is in the bottle, if anything is.
fn wrong(base: &Path, place: Place, rule: Rule<'_>) -> io::Result<Option<String>> {
    let what = match place {
        Place::Gate => Some("is in the gate namespace".to_owned()),
        Place::Elsewhere => Some("is the workload's, and not in the agent namespace".to_owned()),
        Place::Beside => Some("is among the container's processes, and in another network".to_owned()),
        Place::Agent => threads(base)?.iter().find_map(|thread| wrong_thread(thread, rule)),
    };
    // It leaves if all threads do that it has by now.
    let leaves = || Ok::<_, io::Error>(threads(base)?.iter().all(|thread| is_leaving(thread)));
    if what.is_some() && leaves()? { Ok(None) } else { Ok(what) }
}

/// Privileges and namespaces are a thread's, and each has its own. None of a process that is gone.
fn threads(base: &Path) -> io::Result<Vec<PathBuf>> {
    let listed = std::fs::read_dir(base.join("task")).and_then(|all| all.map(|thread| Ok(thread?.path())).collect());
    match listed {
        Err(error) if is_gone(&error) => Ok(Vec::new()),
        listed => listed,
    }
}

fn wrong_thread(thread: &Path, rule: Rule<'_>) -> Option<String> {
    let what = match identify_at(thread) {
        Ok(facts) => match rule {
            Rule::AsFirst(first) => unlike(&facts, first).map(str::to_owned),
            Rule::Without(powers) => powers.held_by(&facts, thread),
        },
        Err(error) => Some(format!(
            "can't be measured: {error}: {}",
            std::error::Error::source(&error).map_or(String::new(), ToString::to_string)
        )),
    };
    what.filter(|_| !is_leaving(thread))
}

/// In what it is wider than the first process was. It may have other ids of its namespace, and filters of its own.
fn unlike(facts: &ProcessFacts, first: &ProcessFacts) -> Option<&'static str> {
    let is_empty = |set: &str| facts.capabilities.get(set).is_some_and(|mask| mask.bytes().all(|digit| digit == b'0'));
    let has_all =
        |names: &BTreeMap<String, String>| first.namespaces.iter().all(|(kind, name)| names.get(kind) == Some(name));
    let all = [
        ("is not in the workload's namespaces", has_all(&facts.namespaces)),
        ("has the host's uid 0", !facts.is_root()),
        ("has the host's gid 0", facts.gids.split(' ').all(|gid| gid != "0")),
        ("has other groups", facts.groups == first.groups),
        ("has capabilities", ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].into_iter().all(is_empty)),
        ("could gain privileges", facts.no_new_privs),
        ("lacks a seccomp filter", facts.seccomp == 2 && facts.seccomp_filters >= first.seccomp_filters),
        ("has another map of ids", facts.uid_map == first.uid_map && facts.gid_map == first.gid_map),
    ];
    all.into_iter().find(|(_, holds)| !holds).map(|(what, _)| what)
}

/// Past its last instruction, or not there. One of which that is not known is there.
fn is_leaving(thread: &Path) -> bool {
    Stat::read_at(thread).is_ok_and(|stat| stat.is_none_or(|stat| stat.exiting))
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    fn sleeping() -> Child {
        Command::new("sleep").arg("600").spawn().unwrap()
    }

    fn suspect(child: &Child) -> Suspect {
        Suspect::hold(child.id(), Path::new(&format!("/proc/{}", child.id()))).unwrap().unwrap()
    }

    #[test]
    fn all_strangers_have_one_moment_together_and_those_that_are_gone_are_passed_over() {
        let mut children: Vec<Child> = (0..20).map(|_| sleeping()).collect();
        let suspects = children.iter().map(suspect).collect();
        children[3].kill().unwrap();
        let begun = Instant::now();
        let left = passed(suspects, Duration::from_secs(1)).unwrap();
        let took = begun.elapsed();
        assert!(left.iter().map(|it| it.pid).eq(children.iter().map(Child::id).filter(|id| *id != children[3].id())));
        // One after another they would have taken nineteen.
        assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(10), "{took:?}");
        for child in &mut children {
            let _ = child.kill();
            child.wait().unwrap();
        }
    }

    #[test]
    fn nobody_waits_for_strangers_that_are_all_gone() {
        let mut child = sleeping();
        let suspects = vec![suspect(&child)];
        child.kill().unwrap();
        assert!(passed(suspects, Duration::from_secs(3600)).unwrap().is_empty());
        child.wait().unwrap();
    }
}
