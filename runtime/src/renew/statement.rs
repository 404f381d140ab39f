//! What does a statement about a bottle that runs say? The facts of a start, measured again, and what only holds while it runs.

use std::collections::BTreeMap;
use std::ops::Range;

use bottle_evidence::canonical::NoCanonicalForm;
use bottle_evidence::predicate::{Basis, Predicate, Probe, Stage, WORKLOAD_IDENTITY};
use bottle_evidence::statement::Statement;
use bottle_evidence::{Digest, Text, Time, quote};
use serde_json::{Value, json};

use super::recheck::{Found, Recheck};
use super::strangers::Inside;
use super::{Renewal, Surveyed};
use crate::adopt::members::Followed;
use crate::attest::facts::{Facts, how_seen, known, listening, measured, programs};
use crate::attest::process::ProcessFacts;
use crate::attest::{adopted, valid_from};
use crate::clock;
use crate::confine::Ports;
use crate::tpm::TpmFailure;

/// More processes than this are counted and not listed.
const LISTED: usize = 256;

/// The same of keepers of containers that joined: each takes about a kilobyte.
const KEEPERS_LISTED: usize = 64;

/// Why there is no statement.
#[derive(Debug, thiserror::Error)]
pub(super) enum StateError {
    /// The host could not be asked.
    #[error("cannot read facts of the host")]
    Facts(#[from] std::io::Error),
    /// It has no canonical form.
    #[error(transparent)]
    Form(#[from] NoCanonicalForm),
    /// The TPM that quoted for the start did not do it again.
    #[error("the TPM does not quote")]
    Tpm(#[from] TpmFailure),
}

/// The envelope's bytes.
pub(super) fn signed(
    renewal: &Renewal,
    nonce: Digest,
    surveyed: &Surveyed,
    found: Found,
    probe: Probe,
) -> Result<(Vec<u8>, Range<Time>), StateError> {
    let said = &renewal.said;
    let is_created = found.is_created;
    let mut facts = remeasured(surveyed, &renewal.recheck, found)?;
    programs(&mut facts, said.subjects.binary);
    facts.extend(said.asserted.clone());
    if !is_created {
        // Its engine has confined it since, and it is measured as it is.
        facts.remove(adopted::STAGE);
    }
    if let Some(tpm) = &renewal.quoting {
        let question = quote::question(renewal.key.public().id(), nonce, &Text::new(&renewal.run));
        facts.insert(quote::FACT.into(), tpm.quote(question)?.to_fact());
    }
    let valid = valid_from(clock::now());
    let predicate = Predicate {
        run: Text::new(&renewal.run),
        stage: Stage::Running,
        issued: valid.start,
        expires: valid.end,
        nonce,
        mode: said.mode,
        facts,
        probes: vec![probe],
    };
    Ok((Statement::new(said.subjects, predicate)?.sign(&renewal.key)?.to_bytes(), valid))
}

fn remeasured(surveyed: &Surveyed, recheck: &Recheck, found: Found) -> std::io::Result<Facts> {
    // What is asserted in these is replaced by what was asserted at the start.
    let mut facts = known(&surveyed.survey, Ports::Unpublished)?;
    facts.retain(|_, fact| fact.basis != Basis::Asserted);
    if let Some(listeners) = facts.get_mut("agent.listeners") {
        listeners.how =
            Text::new("SOCK_DIAG_BY_FAMILY, at the resolvers' port: the workload's own sockets are left out");
    }
    let how = how_seen(recheck.sees_all);
    let Found { workload, init, gate, dialler, keeper, followed, inside, executable, .. } = found;
    let listed: Vec<u32> = inside.pids.iter().copied().take(LISTED).collect();
    measured(&mut facts, "agent.processes", how, json!({"count": inside.pids.len(), "pids": listed}));
    measured(&mut facts, "gate.processes", how, json!({"count": 0, "pids": []}));
    measured(&mut facts, WORKLOAD_IDENTITY, "/proc/PID/stat", recheck.workload);
    let how = "SHA-256 of /proc/PID/exe, unless that is larger than 1 GiB or not for the caller to read";
    measured(&mut facts, "workload.executable", how, json!({"path": executable.path, "sha256": executable.sha256}));
    let (how, members) = members(recheck, &inside, &workload);
    measured(&mut facts, "workload.members", how, members);
    let helpers = [("workload", workload), ("init", init), ("gate", gate), ("dialler", dialler)];
    for (who, process) in helpers {
        let how = "/proc/PID; descriptors counted by kind";
        measured(&mut facts, format!("{who}.process"), how, counted(process));
    }
    if let Some(keeper) = keeper {
        let how = "/proc/PID/status, uid_map and gid_map; what only who may look into it can read was measured when the container began, and its seccomp filter lets it change none of that";
        measured(&mut facts, "keeper.process", how, counted(keeper));
        measured(&mut facts, "keeper.members", how, followers(followed));
    }
    if !surveyed.published.is_empty() {
        listening(&mut facts, &surveyed.published);
    }
    Ok(facts)
}

/// Each container that joined, and who ends it.
fn followers(followed: Vec<Followed>) -> Value {
    let count = followed.len();
    let entry = |Followed { container, is_created, keeper }| json!({"container": container, "created": is_created, "process": counted(keeper)});
    let listed: Vec<Value> = followed.into_iter().take(KEEPERS_LISTED).map(entry).collect();
    json!({"count": count, "keepers": listed})
}

/// What each process but init was found to be.
fn members(recheck: &Recheck, inside: &Inside, workload: &ProcessFacts) -> (&'static str, Value) {
    let (processes, threads) = (inside.pids.len().saturating_sub(1), inside.threads.saturating_sub(1));
    match &recheck.powers {
        None => (
            "/proc/PID and /proc/PID/task/* of each process in the agent's namespaces but init: each was found to be so",
            json!({
                "processes": processes,
                "threads": threads,
                "capabilities": "none",
                "no_new_privs": true,
                "seccomp": workload.seccomp,
                "namespaces": &workload.namespaces,
            }),
        ),
        Some(powers) => (
            "/proc/PID and /proc/PID/task/* of each process in the agent's network namespace but the warden: none has one of these \
             capabilities in the container's user namespace or one around it",
            json!({"processes": processes, "threads": threads, "without": powers.names()}),
        ),
    }
}

/// A process that serves or works may have any number of descriptors: they are counted, by kind. What files they are is nobody's
/// business.
fn counted(process: ProcessFacts) -> Value {
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for kind in process.descriptors.values() {
        let kind = match kind.as_str() {
            known @ ("socket" | "pipe" | "anon_inode") => known,
            _ => "file",
        };
        *kinds.entry(kind).or_default() += 1;
    }
    let kinds = json!(kinds);
    let mut value = json!(ProcessFacts { descriptors: BTreeMap::new(), ..process });
    value["descriptors"] = kinds;
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_counted_by_kind_and_files_are_not_named() {
        let process = crate::attest::process::measure(std::process::id()).unwrap();
        let held = process.descriptors.len() as u64;
        let counted = counted(process);
        let kinds = counted["descriptors"].as_object().unwrap();
        assert_eq!(kinds.values().map(|count| count.as_u64().unwrap()).sum::<u64>(), held);
        assert!(kinds.keys().all(|kind| ["socket", "pipe", "anon_inode", "file"].contains(&kind.as_str())));
    }
}
