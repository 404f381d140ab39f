//! Which facts does the statement name, and how was each had?

use std::collections::BTreeMap;

use bottle_evidence::predicate::{Fact, PUBLISHED, Probe, UPSTREAM_PROXY, WORKLOAD_IDENTITY};
use bottle_evidence::{Digest, canonical};
use bottle_images::Root;
use bottle_netns::Side;
use bottle_netns::survey::{Survey, Surveyed};
use bottle_proxy::UpstreamProxy;
use serde::Serialize;
use serde_json::{Value, json};

use super::Probed;
use super::binding::Held;
use super::requirements::Processes;
use crate::airlock::Airlock;
use crate::confine::{FilterError, Ports, Standing};
use crate::probe::ProbeResult;
use crate::publish::{Bound, Published};

pub(crate) type Facts = BTreeMap<String, Fact>;

/// What is known before the workload is on hold: of the host, of the namespaces as they were read back, and of bottle.
pub(crate) fn known(state: &Survey, ports: Ports) -> std::io::Result<Facts> {
    let mut facts = Facts::new();
    host(&mut facts)?;
    for side in Side::BOTH {
        namespace(&mut facts, side, state.of(side));
    }
    asserted(&mut facts, ports).map_err(std::io::Error::other)?;
    Ok(facts)
}

/// With what was measured of the processes: all facts of one run.
pub(super) fn complete(
    known: Facts,
    airlock: &Airlock,
    held: &Held,
    processes: &Processes,
    program: Digest,
) -> std::io::Result<Facts> {
    let mut facts = known;
    members(&mut facts, processes, airlock.plan.sees_all());
    people(&mut facts, airlock, held, processes)?;
    programs(&mut facts, program);
    if let Some(proxy) = &airlock.plan.upstream_proxy {
        facts.insert(UPSTREAM_PROXY.into(), through(proxy));
    }
    if !airlock.plan.published.is_empty() {
        let found = airlock.plan.published.iter().map(Bound::measured).collect::<std::io::Result<Vec<_>>>()?;
        listening(&mut facts, &found);
    }
    if let Some(adopted) = &airlock.plan.adopted {
        super::adopted::say(&mut facts, adopted);
    }
    Ok(facts)
}

/// Where the supervisor listens for what is published.
pub(crate) fn listening(facts: &mut Facts, found: &[Published]) {
    let how = "getsockname(2), SO_ACCEPTCONN, SO_REUSEPORT of what the supervisor listens on";
    measured(facts, PUBLISHED, how, found);
}

pub(crate) fn measured(facts: &mut Facts, name: impl Into<String>, how: &str, value: impl Serialize) {
    // Plain data with string keys is always JSON; null would be refused by every verifier.
    facts.insert(name.into(), Fact::measured(how, serde_json::to_value(value).unwrap_or(Value::Null)));
}

fn host(facts: &mut Facts) -> std::io::Result<()> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    measured(facts, "host.boot-id", "/proc/sys/kernel/random/boot_id", boot.trim());
    let kernel = rustix::system::uname();
    let kernel = format!("{} {}", kernel.release().to_string_lossy(), kernel.version().to_string_lossy());
    measured(facts, "host.kernel", "uname(2)", kernel);
    Ok(())
}

fn namespace(facts: &mut Facts, side: Side, surveyed: &Surveyed) {
    let (identity, state) = (&surveyed.identity, &surveyed.state);
    let mut add = |name: &str, how: &str, value: Value| {
        facts.insert(format!("{side}.{name}"), Fact::measured(how, value));
    };
    add(
        "namespace",
        "SO_NETNS_COOKIE, fstat(2), NS_GET_USERNS",
        json!({"cookie": identity.cookie.to_string(), "inode": identity.inode, "owner": identity.owner}),
    );
    add("links", "RTM_GETLINK", json!(state.links));
    add("addresses", "RTM_GETADDR", json!(state.addresses));
    add("routes", "RTM_GETROUTE", json!(state.routes));
    add("rules", "RTM_GETRULE", json!(state.rules));
    add("neighbours", "RTM_GETNEIGH", json!(state.neighbours));
    add("sysctls", "/proc/sys/net", json!(state.sysctls));
    let ruleset = canonical::to_bytes(&state.ruleset).unwrap_or_default();
    add(
        "ruleset",
        "NFT_MSG_GETTABLE, GETCHAIN, GETRULE, GETOBJ between two NFT_MSG_GETGEN",
        json!({"sha256": bottle_evidence::sha256(&ruleset), "generation": identity.generation, "rules": state.ruleset}),
    );
    let cookies: Vec<String> = identity.sockets.iter().map(u64::to_string).collect();
    add("listeners", "SOCK_DIAG_BY_FAMILY", json!({"sockets": state.listeners, "cookies": cookies}));
}

/// Only root is shown everybody's namespaces. The statement must not say more than was seen.
fn members(facts: &mut Facts, processes: &Processes, sees_all: bool) {
    let how = how_seen(sees_all);
    for (name, pids) in [("agent.processes", &processes.in_agent), ("gate.processes", &processes.in_gate)] {
        measured(facts, name, how, json!({"count": pids.len(), "pids": pids}));
    }
}

pub(crate) fn how_seen(sees_all: bool) -> &'static str {
    match sees_all {
        true => "/proc/*/task/*/ns/net",
        false => "/proc/*/task/*/ns/net of the caller's processes; others', root's too, are hidden from the caller",
    }
}

fn people(facts: &mut Facts, airlock: &Airlock, held: &Held, processes: &Processes) -> std::io::Result<()> {
    measured(facts, WORKLOAD_IDENTITY, "/proc/PID/stat", held.workload()?);
    measured(facts, "workload.process", "/proc/PID", &processes.workload);
    measured(
        facts,
        "workload.executable",
        "SHA-256 of the file, resolved within /proc/PID/root",
        json!({"path": held.executable(), "sha256": processes.executable}),
    );
    if !processes.limits.is_empty() {
        let how = "the control groups' files, /proc/PID/cgroup, /proc/PID/limits";
        measured(facts, "workload.limits", how, &processes.limits);
    }
    let how = "SHA-256 of the canonical form of what was to be mounted";
    facts.insert("workload.files".into(), Fact::asserted(how, json!({"sha256": airlock.plan.planned})));
    if let Root::Overlay { kept: Some(kept), .. } = &airlock.plan.files.root {
        let how = "the directory that lies upon the image: what earlier runs of this name changed is part of the root";
        facts.insert("workload.kept-layer".into(), Fact::asserted(how, json!({"path": kept})));
    }
    if let Some(wall) = held.wall() {
        let how =
            "the held process tried to make a device node in its /dev/shm; nothing takes a Landlock domain off again";
        facts.insert("workload.landlock".into(), Fact::behavioural(how, json!({"refused": wall == Standing::Held})));
    }
    let command = json!({"path": held.executable(), "argv": airlock.plan.shown_command()});
    let how = "what the held process is about to execute: the kernel knows of it only afterwards";
    facts.insert("workload.command".into(), Fact::asserted(how, command));
    let helpers = [("init", &processes.init), ("gate", &processes.gate), ("dialler", &processes.dialler)];
    let keeper = processes.keeper.iter().map(|keeper| ("keeper", keeper));
    for (who, process) in helpers.into_iter().chain(keeper) {
        measured(facts, format!("{who}.process"), "/proc/PID", process);
    }
    Ok(())
}

/// How everything is dialled, where it is not dialled straight.
fn through(proxy: &UpstreamProxy) -> Fact {
    let how = "what the dialler was told: names are handed to this proxy, and that they have no private addresses is its word";
    let (host, port) = (proxy.host().to_string(), proxy.port());
    Fact::asserted(how, json!({"scheme": "http", "host": host, "port": port, "credentials": proxy.has_credentials()}))
}

/// What the helpers were found to execute: init, which lives beside the workload, where nobody can write it.
pub(crate) fn programs(facts: &mut Facts, program: Digest) {
    let how = "device and inode of /proc/PID/exe; SHA-256 of bottle's running program, taken once for each change of its file";
    for who in ["gate", "dialler"] {
        measured(facts, format!("{who}.executable"), how, json!({"sha256": program}));
    }
    let how = "device, inode and mount of /proc/PID/exe; SHA-256 of bottle's running program, taken once for each change of its file";
    measured(facts, "init.executable", how, json!({"sha256": program, "read-only": true}));
}

fn asserted(facts: &mut Facts, ports: Ports) -> Result<(), FilterError> {
    let how = "the program that was loaded; the kernel gives none back to an ordinary user";
    for (who, digest) in crate::confine::digests(ports)? {
        facts.insert(format!("{who}.seccomp-program"), Fact::asserted(how, json!({"sha256": digest})));
    }
    facts.insert("bottle.version".into(), Fact::asserted("the package's version", env!("CARGO_PKG_VERSION")));
    Ok(())
}

/// The probes of both rounds, each beside what it had to see.
pub(super) fn probes(probed: &Probed, answer: &str) -> Vec<Probe> {
    let expected = crate::probe::expected(answer);
    let round = |confined: bool, results: &[ProbeResult]| -> Vec<Probe> {
        let pairs = results.iter().zip(&expected);
        pairs.map(|(saw, must)| Probe::new(&saw.name, confined, &must.observed, &saw.observed)).collect()
    };
    let mut all = round(false, &probed.unconfined);
    all.extend(round(true, &probed.confined));
    all
}
