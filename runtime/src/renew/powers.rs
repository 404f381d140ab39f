//! What may a process in a container's network namespace not be, that its engine confines and not bottle? One with power over the airlock.
//!
//! A capability counts in the container's user namespace and in those around it. Whoever makes a user namespace inside has all of them
//! there, and none over what is not its own.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
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
    refused: Vec<(String, u32)>,
}

impl Powers {
    /// Those that the settings did not let pass.
    pub(crate) fn refused_to(adopted: &Adopted) -> io::Result<Powers> {
        let user = rustix::fs::fstat(adopted.container.user())?.st_ino;
        Ok(Powers { user, refused: capabilities::numbered(&adopted.says.let_pass) })
    }

    /// Their names.
    pub(super) fn names(&self) -> Vec<&str> {
        self.refused.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Which of them a thread has, by its directory in /proc.
    pub(super) fn held_by(&self, facts: &ProcessFacts, thread: &Path) -> Option<String> {
        let held = self.refused.iter().find(|(_, number)| has(facts, *number))?;
        let elsewhere = File::open(thread.join("ns/user")).is_ok_and(|own| is_below(own.into(), self.user));
        (!elsewhere).then(|| format!("has CAP_{}", held.0))
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
        let Ok(next) = sys::parent_namespace(around.as_fd()) else { return false };
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
    use std::os::unix::fs::MetadataExt;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::attest::process::identify_at;
    use crate::hook::Exception;

    fn own_user() -> u64 {
        std::fs::metadata("/proc/self/ns/user").unwrap().ino()
    }

    fn facts(sets: [&str; 5]) -> ProcessFacts {
        let names = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(str::to_owned);
        let capabilities = names.into_iter().zip(sets.map(str::to_owned)).collect();
        ProcessFacts { capabilities, ..identify_at(Path::new("/proc/self")).unwrap() }
    }

    #[test]
    fn a_capability_counts_in_whatever_set_it_is_and_where_it_is_unknown() {
        let powers = Powers { user: own_user(), refused: capabilities::numbered(&[]) };
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
    fn a_capability_within_a_user_namespace_that_was_made_inside_is_no_power_and_one_in_another_is() {
        let mut child = Command::new("unshare");
        child.args(["--user", "--map-root-user", "sh", "-c", "echo; read -r line"]);
        let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        let thread = std::path::PathBuf::from(format!("/proc/{}", child.id()));
        let inside = identify_at(&thread).unwrap();
        let made = std::fs::metadata(thread.join("ns/user")).unwrap().ino();
        let held = |user| Powers { user, refused: capabilities::numbered(&[]) }.held_by(&inside, &thread);
        let (below, same, unrelated) = (held(own_user()), held(made), held(1));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(below, None);
        assert!(same.is_some() && unrelated.is_some());
    }
}
