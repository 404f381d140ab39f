//! What must hold of a container that an engine has made, and what of it is only the engine's word?
//!
//! It was measured when the engine had created it and not let it go on: its runtime still has to give up privileges, to load the
//! seccomp filter and to execute the program.

use std::os::unix::fs::MetadataExt;

use bottle_evidence::predicate::Fact;
use serde_json::json;

use super::facts::Facts;
use super::process::ProcessFacts;
use super::requirements::{Subject, is_for_serving};
use super::{AttestError, in_step};
use crate::adopt::Adopted;
use crate::hook::Exception;
use crate::roles::Program;

/// CAP_KILL alone, as /proc/PID/status says it without leading zeros (capabilities(7): number 5).
const KILL: &str = "20";

/// Whose namespaces, but for the network's, the first process may not share, whatever was let pass.
const APART: [&str; 2] = ["pid", "mnt"];

/// Demands of the first process what the airlock rests upon.
pub(super) fn container(
    facts: &ProcessFacts,
    own: &ProcessFacts,
    agent: &str,
    adopted: &Adopted,
) -> Result<(), AttestError> {
    let subject = Subject { who: "workload", facts };
    subject.demand(facts.namespaces.get("net").is_some_and(|net| net == agent), "is not in the agent namespace")?;
    subject.lives_apart(own, &APART)?;
    for (kind, exception) in [("ipc", Exception::HostIpc), ("user", Exception::HostUser)] {
        // Where an ordinary user's engine has made one, that is not the host's.
        let engines_own = kind == "user" && adopted.says.within.is_some();
        if !engines_own && !adopted.says.let_pass.contains(&exception) {
            subject.lives_apart(own, &[kind])?;
        }
    }
    Ok(())
}

/// Demands of the one who stands where init does what is demanded of init. Root's lives in root's user namespace, an ordinary
/// user's in the container's, where alone there is power over it.
pub(crate) fn warden(facts: &ProcessFacts, own: &ProcessFacts, container: &ProcessFacts) -> Result<(), AttestError> {
    let subject = Subject { who: "warden", facts };
    subject.confined(own)?;
    let around = if own.is_root() { own } else { container };
    let user = facts.namespaces.get("user");
    subject.demand(user.is_some() && user == around.namespaces.get("user"), "is in another user namespace")?;
    subject.bounded()?;
    subject.lives_apart(own, &["pid", "mnt", "ipc", "uts", "cgroup"])?;
    subject.lives_apart(container, &["pid", "mnt", "ipc", "uts"])
}

/// Demands of who ends the container without its supervisor that it can do nothing else, and is in its place.
pub(crate) fn keeper(pid: u32, facts: &ProcessFacts, own: &ProcessFacts, program: &Program) -> Result<(), AttestError> {
    let subject = Subject { who: "keeper", facts };
    subject.demand(!facts.is_root(), "has the host's uid 0")?;
    for set in ["CapInh", "CapAmb"] {
        subject.demand(subject.is_empty(set), "has capabilities to hand on")?;
    }
    for set in ["CapPrm", "CapEff"] {
        let kill_alone = facts.capabilities.get(set).is_some_and(|mask| mask.trim_start_matches('0') == KILL);
        subject.demand(subject.is_empty(set) || kill_alone, "has another capability than CAP_KILL")?;
    }
    if own.is_root() {
        subject.bounded()?;
    }
    subject.filtered(own)?;
    subject.holds_only(is_for_serving)?;
    let executable = std::fs::metadata(format!("/proc/{pid}/exe"));
    let identity = program.identity().map_err(in_step("identify bottle's own program"))?;
    let is_bottle = executable.is_ok_and(|file| (file.dev(), file.ino()) == identity);
    subject.demand(is_bottle, "executes something else than bottle")
}

/// What is there only until the engine has let it go on.
pub(crate) const STAGE: &str = "workload.stage";

/// Says of each fact what it is for such a container.
pub(super) fn say(facts: &mut Facts, adopted: &Adopted) {
    let says = &adopted.says;
    let mut assert = |name: &str, how: &str, value: serde_json::Value| {
        facts.insert(name.to_owned(), Fact::asserted(how, value));
    };
    assert(STAGE, "when it was measured: the engine had created it, and confined it not yet", json!("created"));
    assert(
        "workload.engine",
        "what the engine calls it, what was let pass that is refused by default, and the user in whose user namespace the engine runs",
        json!({"id": says.id, "let-pass": says.let_pass, "user": says.within}),
    );
    assert(
        "workload.confinement",
        "what the engine was told to do to it before it executes anything",
        says.confinement.clone(),
    );
    let how = "what the engine was told to make the filter of: the canonical form of linux.seccomp in its config.json";
    assert("workload.seccomp-program", how, json!({"sha256": says.seccomp}));
    facts.remove("workload.files");
    if let Some(executable) = facts.get_mut("workload.executable") {
        executable.how = "SHA-256 of the file, resolved within the root that the engine has put together".into();
    }
}
