//! What must hold of a container that an engine has made, and what of it is only the engine's word?
//!
//! It was measured when the engine had created it and not let it go on: its runtime still has to give up privileges, to load the
//! seccomp filter and to execute the program.

use bottle_evidence::predicate::Fact;
use serde_json::json;

use super::AttestError;
use super::facts::Facts;
use super::process::ProcessFacts;
use super::requirements::Subject;
use crate::adopt::Adopted;

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
    for kind in ["ipc", "user"] {
        if !adopted.says.let_pass.iter().any(|what| *what == format!("host-{kind}")) {
            subject.lives_apart(own, &[kind])?;
        }
    }
    Ok(())
}

/// Demands of the one who stands where init does what is demanded of init. Root's lives in root's user namespace, an ordinary
/// user's in the container's, where alone there is power over it.
pub(super) fn warden(facts: &ProcessFacts, own: &ProcessFacts, container: &ProcessFacts) -> Result<(), AttestError> {
    let subject = Subject { who: "warden", facts };
    subject.confined(own)?;
    let around = if own.is_root() { own } else { container };
    let user = facts.namespaces.get("user");
    subject.demand(user.is_some() && user == around.namespaces.get("user"), "is in another user namespace")?;
    subject.bounded()?;
    subject.lives_apart(own, &["pid", "mnt", "ipc", "uts", "cgroup"])?;
    subject.lives_apart(container, &["pid", "mnt", "ipc", "uts"])
}

/// Says of each fact what it is for such a container.
pub(super) fn say(facts: &mut Facts, adopted: &Adopted) {
    let says = &adopted.says;
    let mut assert = |name: &str, how: &str, value: serde_json::Value| {
        facts.insert(name.to_owned(), Fact::asserted(how, value));
    };
    assert(
        "workload.stage",
        "when it was measured: the engine had created it, and confined it not yet",
        json!("created"),
    );
    assert(
        "workload.engine",
        "what the engine calls it, and what was let pass that is refused by default",
        json!({"id": says.id, "let-pass": says.let_pass}),
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
