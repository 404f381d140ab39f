//! Which process holds a connection? The socket by its addresses, its inode by what processes of the bottle have open.
//!
//! It is looked for first where others were found, and then among all descendants of this process that are in the agent's
//! network namespace. All are looked at through open directories of /proc, so that no answer is about a process that came to
//! have the same id. How much is looked at in a while is bounded: whoever has thousands of descriptors costs others an answer,
//! and bottle no time.

mod family;
mod holder;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bottle_evidence::audit::{Process, Unknown};
use bottle_netns::Connections;

use self::holder::{Held, Namespace};
use super::allowance::Allowance;

/// Descriptors and processes that may be looked at in a burst, and how long one more takes to be earned: a microsecond or two
/// each, so a twentieth of a processor at most.
const BURST: u32 = 16_384;
const EACH: Duration = Duration::from_micros(25);

/// Processes that are remembered as the ones to look at first.
const KEPT: usize = 32;

/// From where and to where a connection goes, as the one who made it sees it.
pub type Ends = (SocketAddr, SocketAddr);

/// Who looks. One thread's alone.
pub struct Who {
    connections: Connections,
    namespace: Namespace,
    /// The last that was found comes first. Just where to look: that an id is still the same process's is not relied on.
    known: Vec<u32>,
    allowance: Allowance,
}

/// What is looked for, and what was found.
struct Search {
    /// Which questions are about the socket with this inode.
    wanted: HashMap<u64, Vec<usize>>,
    answers: Vec<Process>,
    /// What may still be looked at.
    left: u32,
}

impl Who {
    /// Of the connections that this socket knows, which are those of this network namespace.
    pub fn new(connections: Connections, namespace: impl std::os::fd::AsFd) -> std::io::Result<Who> {
        let allowance = Allowance::new(BURST, EACH, Instant::now());
        Ok(Who { connections, namespace: Namespace::of(namespace)?, known: Vec::new(), allowance })
    }

    /// A process that has each of these connections open now.
    pub(crate) fn hold(&mut self, connections: &[Ends], now: Instant) -> Vec<Process> {
        let allowed = self.allowance.left(now);
        let mut search = Search::new(connections.len(), allowed);
        for (number, (from, to)) in connections.iter().enumerate() {
            if !search.spend(1) {
                search.answers[number] = Process::UNSOUGHT;
            } else if let Ok(Some(inode)) = self.connections.inode(*from, *to) {
                search.wanted.entry(inode).or_default().push(number);
            }
        }
        self.among_known(&mut search);
        self.among_all(&mut search);
        self.allowance.spend(allowed - search.left);
        search.finish()
    }

    fn among_known(&mut self, search: &mut Search) {
        let mut at = 0;
        while at < self.known.len() && search.goes_on() {
            match Held::open(self.known[at], &self.namespace).and_then(|held| held.look(search)) {
                None => drop(self.known.remove(at)),
                Some(found) => {
                    if found {
                        self.known[..=at].rotate_right(1);
                    }
                    at += 1;
                }
            }
        }
    }

    fn among_all(&mut self, search: &mut Search) {
        let mut next = vec![std::process::id()];
        while search.goes_on()
            && let Some(parent) = next.pop()
        {
            for child in family::children(parent, search) {
                if !search.goes_on() {
                    return;
                }
                if self.known.contains(&child) {
                    next.push(child);
                    continue;
                }
                let Some(held) = Held::open(child, &self.namespace) else { continue };
                next.push(child);
                if held.look(search) == Some(true) {
                    self.known.insert(0, child);
                    self.known.truncate(KEPT);
                }
            }
        }
    }
}

impl Search {
    fn new(questions: usize, left: u32) -> Search {
        Search { wanted: HashMap::new(), answers: vec![Process::UNKNOWN; questions], left }
    }

    /// Whether something is missing, and may be looked for.
    fn goes_on(&self) -> bool {
        !self.wanted.is_empty() && self.left > 0
    }

    /// Whether so much more may be looked at.
    fn spend(&mut self, steps: u32) -> bool {
        let may = self.left >= steps;
        self.left = self.left.saturating_sub(steps);
        may
    }

    fn found(&mut self, inode: u64, process: &Process) {
        for number in self.wanted.remove(&inode).unwrap_or_default() {
            self.answers[number] = process.clone();
        }
    }

    /// What nobody was seen to have was looked for in vain, or not to the end.
    fn finish(mut self) -> Vec<Process> {
        if self.left == 0 {
            for number in self.wanted.into_values().flatten() {
                self.answers[number] = Process::Unknown(Unknown::Unsought);
            }
        }
        self.answers
    }
}

#[cfg(test)]
mod tests;
