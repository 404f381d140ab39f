//! What does the kernel say that the namespaces hold, now?
//!
//! Everything is read back, nothing is remembered. The [`State`] is canonical: sorted, without handles,
//! counters or times, so that two airlocks built alike have the same. What is different in each of them
//! is the [`Identity`].

pub mod listening;
pub(crate) mod message;
pub mod route;
pub mod rules;
pub mod sockets;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::thread::Builder;

use netlink_packet_route::RouteNetlinkMessage;
use nix::errno::Errno;
use nix::sys::stat::fstat;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::airlock::{Airlock, Desk, Sysctl};
use crate::layout::{Layout, Side};
use crate::sys;
use crate::wire::WireError;

pub use listening::Listening;
pub use route::{Address, Link, Neighbour, Route, Rule};
pub use rules::{Chain, PacketRule, Ruleset};
pub use sockets::Listener;

/// Not one port but all.
const ALL: u16 = 0;

/// How often the rules are read until they hold still.
const TRIES: usize = 8;

/// Everything about an airlock that the kernel tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// The workload's namespace.
    pub agent: Surveyed,
    /// The other one.
    pub gate: Surveyed,
}

/// One namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surveyed {
    /// What tells this one from every other.
    pub identity: Identity,
    /// What it holds.
    pub state: State,
}

/// What is different in each namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Unique for each namespace since boot.
    pub cookie: u64,
    /// The inode number of the namespace.
    pub inode: u64,
    /// The inode number of the user namespace that owns it.
    pub owner: u64,
    /// The generation of the packet rules at which they were read.
    pub generation: u32,
    /// The cookies of the sockets in [`State::listeners`], in that order.
    pub sockets: Vec<u64>,
}

/// What a namespace holds, in canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// All devices.
    pub links: Vec<Link>,
    /// All addresses.
    pub addresses: Vec<Address>,
    /// All routes of all tables.
    pub routes: Vec<Route>,
    /// All routing rules.
    pub rules: Vec<Rule>,
    /// The permanent neighbours.
    pub neighbours: Vec<Neighbour>,
    /// Kernel settings by their path below /proc/sys.
    pub sysctls: BTreeMap<String, String>,
    /// The packet rules.
    pub ruleset: Ruleset,
    /// All sockets that listen or receive without a peer.
    pub listeners: Vec<Listener>,
}

/// Why no survey could be made.
#[derive(Debug, Error)]
pub enum SurveyError {
    /// A dump failed.
    #[error("read back the {what} of the {side} namespace")]
    Dump {
        /// Of what.
        what: &'static str,
        /// Where.
        side: Side,
        /// Why.
        source: WireError,
    },
    /// A kernel setting could not be read.
    #[error("read /proc/sys/{path} of the {side} namespace")]
    Sysctl {
        /// Where.
        side: Side,
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The namespace itself could not be identified.
    #[error("identify the {side} namespace: {errno}")]
    Identity {
        /// Which.
        side: Side,
        /// What the kernel said.
        errno: Errno,
    },
    /// A thread could not be had, or broke.
    #[error("cannot read both namespaces at once")]
    Thread(#[source] io::Error),
    /// The packet rules kept changing.
    #[error("the packet rules of the {side} namespace changed while they were read")]
    Unsteady {
        /// Where.
        side: Side,
    },
}

/// Reads everything back. The caller needs CAP_NET_ADMIN over the namespaces, and may be outside of them.
pub fn survey(airlock: &Airlock) -> Result<Survey, SurveyError> {
    surveyed_both(airlock, ALL)
}

/// The same while a workload runs. Of the agent's sockets only those at the port of its resolvers are read, where the workload can
/// have none: the others are its own.
pub fn survey_beside_workload(airlock: &Airlock, layout: &Layout) -> Result<Survey, SurveyError> {
    surveyed_both(airlock, layout.dns_port)
}

/// The generations of the packet rules now: agent, gate. They grow by each change.
pub fn generations(airlock: &Airlock) -> Result<[u32; 2], SurveyError> {
    let generation = |side| {
        rules::generation(airlock.desks.of(side)).map_err(|source| SurveyError::Dump {
            what: "packet rules",
            side,
            source,
        })
    };
    Ok([generation(Side::Agent)?, generation(Side::Gate)?])
}

impl Survey {
    /// The namespace on this side.
    pub fn of(&self, side: Side) -> &Surveyed {
        match side {
            Side::Agent => &self.agent,
            Side::Gate => &self.gate,
        }
    }

    /// In which of the namespaces another one was found in its stead, or other sockets, or rules of another generation.
    pub fn exchanged(&self, since: &Survey) -> Option<Side> {
        Side::BOTH.into_iter().find(|side| self.of(*side).identity != since.of(*side).identity)
    }

    /// The generations at which the packet rules were read: agent, gate.
    pub fn generations(&self) -> [u32; 2] {
        [self.agent.identity.generation, self.gate.identity.generation]
    }
}

/// Both at once: a start waits for it, and each has sockets of its own. Of the agent's sockets those at this port are read.
fn surveyed_both(airlock: &Airlock, port: u16) -> Result<Survey, SurveyError> {
    std::thread::scope(|scope| {
        let gate = Builder::new().spawn_scoped(scope, || surveyed(airlock, Side::Gate, ALL));
        let gate = gate.map_err(SurveyError::Thread)?;
        let agent = surveyed(airlock, Side::Agent, port)?;
        let gate = gate.join().unwrap_or_else(|_| Err(SurveyError::Thread(io::Error::other("it broke"))))?;
        Ok(Survey { agent, gate })
    })
}

fn surveyed(airlock: &Airlock, side: Side, port: u16) -> Result<Surveyed, SurveyError> {
    let desk = airlock.desks.of(side);
    let namespace = match side {
        Side::Agent => airlock.agent.as_fd(),
        Side::Gate => airlock.gate.as_fd(),
    };
    let (generation, ruleset) = steady_rules(desk, side)?;
    let (listeners, sockets) = sockets::listeners_at(desk, port)
        .map_err(|source| SurveyError::Dump { what: "sockets", side, source })?
        .into_iter()
        .unzip();
    let state = State {
        links: Vec::new(),
        addresses: Vec::new(),
        routes: Vec::new(),
        rules: Vec::new(),
        neighbours: Vec::new(),
        sysctls: sysctls(&airlock.sysctls, side)?,
        ruleset,
        listeners,
    };
    let state =
        with_routes(state, desk).map_err(|source| SurveyError::Dump { what: "links and routes", side, source })?;
    let identity =
        identity(desk, namespace, generation, sockets).map_err(|errno| SurveyError::Identity { side, errno })?;
    Ok(Surveyed { identity, state })
}

/// The rules, and the generation that held before and after they were read.
fn steady_rules(desk: &Desk, side: Side) -> Result<(u32, Ruleset), SurveyError> {
    let fail = |source| SurveyError::Dump { what: "packet rules", side, source };
    let mut before = rules::generation(desk).map_err(fail)?;
    for _ in 0..TRIES {
        let ruleset = rules::read(desk).map_err(fail)?;
        let after = rules::generation(desk).map_err(fail)?;
        if before == after {
            return Ok((after, ruleset));
        }
        before = after;
    }
    Err(SurveyError::Unsteady { side })
}

fn with_routes(state: State, desk: &Desk) -> Result<State, WireError> {
    let dump = |request: RouteNetlinkMessage| desk.route.dump(&request);
    let mut links: Vec<Link> = route::links(dump(route::all_links())?);
    links.sort();
    let mut addresses = route::addresses(dump(route::all_addresses())?, &links);
    addresses.sort();
    let mut routes = route::routes(dump(route::all_routes())?, &links);
    routes.sort();
    let mut rules = route::rules(dump(route::all_rules())?);
    rules.sort();
    let mut neighbours = route::neighbours(dump(route::all_neighbours())?, &links);
    neighbours.sort();
    Ok(State { links, addresses, routes, rules, neighbours, ..state })
}

fn sysctls(all: &[Sysctl], side: Side) -> Result<BTreeMap<String, String>, SurveyError> {
    let here = all.iter().filter(|sysctl| sysctl.side == side);
    here.map(|sysctl| {
        let value = sysctl.read();
        let fail = |source| SurveyError::Sysctl { side, path: sysctl.path.clone(), source };
        value.map(|value| (sysctl.path.clone(), value)).map_err(fail)
    })
    .collect()
}

fn identity(desk: &Desk, namespace: impl AsFd, generation: u32, sockets: Vec<u64>) -> Result<Identity, Errno> {
    let owner = sys::owning_user_namespace(&namespace)?;
    Ok(Identity {
        cookie: sys::netns_cookie(desk)?,
        inode: fstat(&namespace)?.st_ino,
        owner: fstat(File::from(owner))?.st_ino,
        generation,
        sockets,
    })
}
