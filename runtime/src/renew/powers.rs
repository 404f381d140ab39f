//! What may a process in a container's network namespace not be, that its engine confines and not bottle? One with power over the airlock, or with a way
//! around it: sockets of AF_VSOCK, which belong to no network namespace, and which nothing but a seccomp filter denies.
//!
//! A capability counts in the container's user namespace and in those around it. Whoever makes a user namespace inside has all of them
//! there, and none over what is not its own.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::adopt::Adopted;
use crate::attest::process::ProcessFacts;
use crate::hook::capabilities;
use crate::sys;

/// User namespaces lie no deeper in each other (user_namespaces(7)).
const DEEPEST: usize = 32;

/// What no process may have.
pub(crate) struct Powers {
    /// The inode of the container's user namespace.
    user: u64,
    /// That of its pid namespace.
    pids: u64,
    /// Whether that user namespace is its alone, and not also the supervisor's.
    has_users: bool,
    /// Whether each has a filter, as the first one was to have.
    filtered: bool,
    refused: Vec<(String, u32)>,
}

/// By a filter, as /proc/PID/status says it.
const BY_FILTER: u32 = 2;

impl Powers {
    /// Those that the settings did not let pass.
    pub(crate) fn refused_to(adopted: &Adopted) -> io::Result<Powers> {
        let user = rustix::fs::fstat(adopted.container.user())?.st_ino;
        let has_users = std::fs::metadata("/proc/self/ns/user")?.ino() != user;
        let pids = std::fs::metadata(format!("/proc/{}/ns/pid", adopted.container.pid()))?.ino();
        let refused = capabilities::numbered(&adopted.says.let_pass);
        Ok(Powers { user, pids, has_users, filtered: adopted.filtered, refused })
    }

    /// Their names.
    pub(super) fn names(&self) -> Vec<&str> {
        self.refused.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Which of them a thread has, by its directory in /proc, or what it lacks. An engine's programs have the container's filter when they enter it, unless they are told
    /// otherwise; which one a thread has the kernel tells nobody.
    pub(super) fn held_by(&self, facts: &ProcessFacts, thread: &Path) -> Option<String> {
        if self.filtered && facts.seccomp != BY_FILTER {
            return Some("has no seccomp filter".into());
        }
        let held = self.refused.iter().find(|(_, number)| has(facts, *number))?;
        let elsewhere = File::open(thread.join("ns/user")).is_ok_and(|own| is_below(own.into(), self.user));
        (!elsewhere).then(|| format!("has CAP_{}", held.0))
    }

    /// Whether a process that is not in the agent's network is among the container's, and in a network that nobody inside has made. It could act for them
    /// there.
    pub(super) fn is_beside(&self, process: &Path) -> bool {
        if !std::fs::metadata(process.join("ns/pid")).is_ok_and(|pids| pids.ino() == self.pids) {
            return false;
        }
        match File::open(process.join("ns/net")) {
            Ok(network) => !self.made_inside(&network.into()),
            // One that leaves has no network any more.
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }

    fn made_inside(&self, network: &OwnedFd) -> bool {
        let Ok(owner) = sys::owner_of(network.as_fd()) else { return false };
        let is_own = self.has_users && rustix::fs::fstat(&owner).is_ok_and(|owner| owner.st_ino == self.user);
        is_own || is_below(owner, self.user)
    }
}

/// Whether it is in any of the sets. One that can't be read has all.
fn has(facts: &ProcessFacts, number: u32) -> bool {
    let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
    sets.into_iter().any(|set| {
        let mask = facts.capabilities.get(set).and_then(|mask| u64::from_str_radix(mask, 16).ok());
        mask.is_none_or(|mask| mask >> number & 1 == 1)
    })
}

/// Whether a user namespace was made within the one with this inode. Of those that are not in sight the kernel tells nothing.
fn is_below(own: OwnedFd, user: u64) -> bool {
    let mut around = own;
    for _ in 0..DEEPEST {
        let Ok(next) = sys::owner_of(around.as_fd()) else { return false };
        around = next;
        if rustix::fs::fstat(&around).is_ok_and(|namespace| namespace.st_ino == user) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use super::*;
    use crate::attest::process::identify_at;
    use crate::hook::Exception;

    fn own_user() -> u64 {
        std::fs::metadata("/proc/self/ns/user").unwrap().ino()
    }

    fn powers(user: u64) -> Powers {
        let pids = std::fs::metadata("/proc/self/ns/pid").unwrap().ino();
        Powers { user, pids, has_users: false, filtered: false, refused: capabilities::numbered(&[]) }
    }

    fn facts(sets: [&str; 5]) -> ProcessFacts {
        let names = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(str::to_owned);
        let capabilities = names.into_iter().zip(sets.map(str::to_owned)).collect();
        ProcessFacts { capabilities, ..identify_at(Path::new("/proc/self")).unwrap() }
    }

    #[test]
    fn a_capability_counts_in_whatever_set_it_is_and_where_it_is_unknown() {
        let powers = powers(own_user());
        let thread = Path::new("/proc/self");
        // What an ordinary container has: CAP_KILL, CAP_NET_BIND_SERVICE, CAP_NET_RAW.
        let usual = "0000000000002420";
        assert_eq!(powers.held_by(&facts([usual; 5]), thread), None);
        for at in 0..5 {
            for (mask, name) in
                [("1000", "NET_ADMIN"), ("10000", "SYS_MODULE"), ("4", "DAC_READ_SEARCH"), ("200000", "SYS_ADMIN")]
            {
                let mut sets = [usual; 5];
                sets[at] = mask;
                assert_eq!(powers.held_by(&facts(sets), thread), Some(format!("has CAP_{name}")));
            }
            let mut sets = [usual; 5];
            sets[at] = "";
            assert!(powers.held_by(&facts(sets), thread).is_some());
        }
        let passed = Powers { refused: capabilities::numbered(&[Exception::NetAdmin]), ..powers };
        assert_eq!(passed.held_by(&facts(["1000"; 5]), thread), None);
    }

    #[test]
    fn who_has_no_filter_is_told_where_each_must_have_one() {
        let powers = Powers { filtered: true, ..powers(own_user()) };
        let of = |seccomp| ProcessFacts { seccomp, ..facts(["0"; 5]) };
        for (seccomp, is_filtered) in [(0, false), (1, false), (2, true), (u32::MAX, false)] {
            assert_eq!(powers.held_by(&of(seccomp), Path::new("/proc/self")).is_none(), is_filtered, "{seccomp}");
        }
    }

    #[test]
    fn a_capability_within_a_user_namespace_that_was_made_inside_is_no_power_and_one_in_another_is() {
        let mut child = Command::new("unshare");
        child.args(["--user", "--map-root-user", "sh", "-c", "echo; read -r line"]);
        let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        let thread = std::path::PathBuf::from(format!("/proc/{}", child.id()));
        let inside = identify_at(&thread).unwrap();
        let made = std::fs::metadata(thread.join("ns/user")).unwrap().ino();
        let held = |user| powers(user).held_by(&inside, &thread);
        let (below, same, unrelated) = (held(own_user()), held(made), held(1));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(below, None);
        assert!(same.is_some() && unrelated.is_some());
    }

    #[test]
    fn a_process_beside_is_one_of_the_same_processes_in_a_network_that_nobody_inside_has_made() {
        let mut child = Command::new("unshare");
        child.args(["--user", "--map-root-user", "--net", "sh", "-c", "echo; read -r line"]);
        let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        let (own, made) = (Path::new("/proc/self"), std::path::PathBuf::from(format!("/proc/{}", child.id())));
        let inside = std::fs::metadata(made.join("ns/user")).unwrap().ino();
        let beside = [
            powers(own_user()).is_beside(own),
            powers(own_user()).is_beside(&made),
            Powers { has_users: true, ..powers(inside) }.is_beside(&made),
            powers(inside).is_beside(&made),
            Powers { pids: 1, ..powers(own_user()) }.is_beside(own),
        ];
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(beside, [true, false, false, true, false]);
    }
}
