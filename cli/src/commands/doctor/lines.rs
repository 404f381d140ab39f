//! What do the findings mean? One line for each check, with the command that mends it. Pure.

use std::path::Path;

use bottle_runtime::gate::GateLimits;
use bottle_runtime::plan::CORE_DUMPS;
use serde::Serialize;

use super::attempt::{Answer, Attempt, Step};
use super::findings::{Cgroups, Findings};
use super::mend;
use super::profile::{PREFERRED, Profile};

/// One check and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What was checked.
    pub what: &'static str,
    /// What came of it.
    pub state: State,
    /// What there is to say about it.
    pub detail: String,
    /// What to do about it: a command where there is one.
    pub mend: Option<String>,
    /// Whether bottle cannot run without it.
    pub blocks: bool,
}

/// The answer to one check. There is no `yes` for what was not tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It was tried and worked.
    Yes,
    /// It was tried and did not.
    No,
    /// It was not tried, or what came of it says nothing.
    Unknown,
}

/// All checks, in the order in which bottle needs them.
pub fn lines(found: &Findings) -> Vec<Line> {
    let mut lines = vec![
        tried(found, "user namespaces", Attempt::UserNamespace, true),
        tried(found, "network namespaces", Attempt::NetworkNamespace, true),
    ];
    lines.extend(airlock(found));
    lines.extend([
        tried(found, "/proc of its own", Attempt::Proc, true),
        tried(found, "seccomp", Attempt::Seccomp, true),
        tried(found, "Landlock", Attempt::Landlock, true),
        tried(found, "pidfd", Attempt::Pidfd, true),
        tried(found, "read-only program", Attempt::ReadOnlyProgram, true),
        core_dumps(found),
        evidence(found),
        tried(found, "overlay", Attempt::Overlay, false),
        tried(found, "idmapped mounts", Attempt::Idmap, false),
        tried(found, "several ids inside", Attempt::SubordinateIds, false),
        files(found),
        cgroups(found),
        tried(found, "--memory", Attempt::MemoryLimit, false),
        tried(found, "--cpus", Attempt::CpuLimit, false),
        tried(found, "--pids-limit", Attempt::ProcessLimit, false),
        tried(found, "higher --ulimit", Attempt::HigherLimit, false),
    ]);
    lines.extend(hooks(found));
    lines.extend(found.profile.as_ref().map(profile));
    lines.extend(found.tpm.as_ref().map(tpm));
    lines
}

/// Whether engines that are told to call our hooks can. Nothing where none are told.
fn hooks(found: &Findings) -> Option<Line> {
    let first = found.hooks.first()?;
    let (state, detail, mend) = match found.hooks.iter().find(|hook| !hook.works) {
        None => (State::Yes, format!("{} in {}", found.hooks.len(), parent(&first.file)), None),
        Some(gone) => {
            let why = "no program that can be executed: podman starts containers without it, and says nothing";
            let directory = parent(&gone.file);
            let mend = format!(
                "bottle hook install --directory {directory}; or have the engine call bottle-oci as its runtime, without which it starts nothing"
            );
            (State::No, format!("{} calls {}, {why}", gone.file.display(), gone.program.display()), Some(mend))
        }
    };
    Some(Line { what: "hooks of engines", state, detail, mend, blocks: false })
}

/// Whether the hooks would let podman's containers be, as far as its profile goes.
fn profile(found: &Profile) -> Line {
    let file = found.file.display();
    let (state, detail, mend) = match found.shut {
        true => (State::Yes, format!("{file} lets no socket of AF_VSOCK be opened"), None),
        false => {
            let made = format!("bottle hook seccomp {file}");
            let mend = match found.file == Path::new(PREFERRED) {
                // The shell empties a file that it is to write before anybody reads it.
                true => format!("{made} >{file}.new && mv {file}.new {file}"),
                false => format!("{made} >{PREFERRED}, or another file that containers.conf names as seccomp_profile"),
            };
            (
                State::No,
                format!("{file} lets sockets of AF_VSOCK be opened: the hooks refuse the container"),
                Some(mend),
            )
        }
    };
    Line { what: "seccomp of podman", state, detail, mend, blocks: false }
}

fn parent(file: &Path) -> String {
    file.parent().unwrap_or(file).display().to_string()
}

/// Whether a TPM can keep the key and quote.
fn tpm(asked: &Result<String, (String, Option<&'static str>)>) -> Line {
    let (state, detail, mend) = match asked {
        Ok(key) => (State::Yes, format!("it quotes with the key {key}"), None),
        Err((why, hint)) => (State::No, why.clone(), hint.map(str::to_owned)),
    };
    Line { what: "TPM 2.0", state, detail, mend, blocks: false }
}

/// Whether bottle can run here: every check that blocks was tried and worked.
pub fn usable(lines: &[Line]) -> bool {
    lines.iter().all(|line| !line.blocks || line.state == State::Yes)
}

/// A check that is one attempt.
fn tried(found: &Findings, what: &'static str, attempt: Attempt, blocks: bool) -> Line {
    match found.attempts.get(&attempt) {
        Some(Answer::Worked(detail)) => {
            Line { what, state: State::Yes, detail: detail.clone().unwrap_or_default(), mend: None, blocks }
        }
        Some(Answer::Failed { step, errno, text }) => {
            let mend = mend::of(found, attempt, *step, *errno);
            // An attempt that fails before its subject says nothing about it.
            let before = *step == Step::Namespace && !about_namespaces(attempt);
            let state = if before { State::Unknown } else { State::No };
            Line { what, state, detail: consequence(attempt, text), mend, blocks }
        }
        Some(Answer::Refused { text, mend }) => {
            Line { what, state: State::No, detail: text.clone(), mend: mend.clone(), blocks }
        }
        Some(Answer::NotTried(why)) => unknown(what, why.clone(), blocks),
        None => unknown(what, "not tried".into(), blocks),
    }
}

fn about_namespaces(attempt: Attempt) -> bool {
    matches!(attempt, Attempt::UserNamespace | Attempt::NetworkNamespace)
}

fn unknown(what: &'static str, detail: String, blocks: bool) -> Line {
    Line { what, state: State::Unknown, detail, mend: None, blocks }
}

/// What the failure of a check that blocks nothing means.
fn consequence(attempt: Attempt, text: &str) -> String {
    match attempt {
        Attempt::Overlay => format!("{text}; /usr and /opt are read-only inside"),
        Attempt::HigherLimit => {
            format!("{text}; --ulimit gives as much as the hard limits of the shell that starts bottle")
        }
        Attempt::Idmap => {
            format!("{text}; a shared directory here needs an owner that the workload can be")
        }
        _ => text.to_owned(),
    }
}

/// The steps of building the airlock, each a check of its own.
const AIRLOCK: [(&str, Step); 7] = [
    ("network settings", Step::Setting),
    ("veth", Step::Veth),
    ("nf_tables", Step::Nftables),
    ("addresses and routes", Step::Link),
    ("tproxy", Step::Tproxy),
    ("nflog", Step::Nflog),
    ("listening sockets", Step::Socket),
];

/// Steps before the one that failed worked, those after it were not tried.
fn airlock(found: &Findings) -> Vec<Line> {
    let answer = found.attempts.get(&Attempt::Airlock);
    AIRLOCK.into_iter().map(|(what, step)| airlock_step(found, answer, what, step)).collect()
}

fn airlock_step(found: &Findings, answer: Option<&Answer>, what: &'static str, step: Step) -> Line {
    let yes = Line { what, state: State::Yes, detail: String::new(), mend: None, blocks: true };
    match answer {
        Some(Answer::Worked(_)) => yes,
        Some(Answer::Failed { step: Step::Elsewhere, text, .. }) => unknown(what, text.clone(), true),
        Some(Answer::Failed { step: failed, .. }) if step < *failed => yes,
        Some(Answer::Failed { step: failed, errno, text }) if step == *failed => Line {
            state: State::No,
            detail: text.clone(),
            mend: mend::of(found, Attempt::Airlock, step, *errno),
            ..yes
        },
        Some(Answer::Failed { .. }) => unknown(what, "not tried: a step before it failed".into(), true),
        Some(Answer::NotTried(why) | Answer::Refused { text: why, .. }) => unknown(what, why.clone(), true),
        None => unknown(what, "not tried".into(), true),
    }
}

fn core_dumps(found: &Findings) -> Line {
    let what = "no core dumps";
    if !found.dumps_reach_a_helper {
        return Line { what, state: State::Yes, detail: String::new(), mend: None, blocks: true };
    }
    Line {
        what,
        state: State::No,
        detail: "the hard limit of their size is 0, and this host pipes them to a program even then".into(),
        mend: Some(CORE_DUMPS.into()),
        blocks: true,
    }
}

fn evidence(found: &Findings) -> Line {
    let what = "evidence directory";
    match &found.data {
        Ok(path) => Line { what, state: State::Yes, detail: path.display().to_string(), mend: None, blocks: true },
        Err(text) => Line {
            what,
            state: State::No,
            detail: text.clone(),
            mend: Some("export BOTTLE_ROOT=DIR, a directory of your own on a disk with room".into()),
            blocks: true,
        },
    }
}

/// With so many the gate takes as many connections as it would with more.
const ENOUGH_FILES: u64 = 20_000;

fn files(found: &Findings) -> Line {
    let what = "open files";
    match found.files {
        Some((soft, hard)) => Line {
            what,
            state: if hard >= ENOUGH_FILES { State::Yes } else { State::No },
            detail: format!("limit {soft}, can be raised to {hard}: {} connections at a time", connections(hard)),
            mend: (hard < ENOUGH_FILES).then(|| format!("ulimit -Hn {ENOUGH_FILES}")),
            blocks: false,
        },
        None => unknown(what, "the limit can't be read".into(), false),
    }
}

/// What a gate takes that may hold so many descriptors.
fn connections(descriptors: u64) -> usize {
    GateLimits::for_descriptors(usize::try_from(descriptors).unwrap_or(usize::MAX)).proxy.connections
}

fn cgroups(found: &Findings) -> Line {
    let (state, detail) = match found.cgroups {
        Cgroups::Two => (State::Yes, "version 2"),
        Cgroups::Hybrid => (State::Yes, "version 1, with version 2 beside it"),
        Cgroups::One => (State::Yes, "version 1"),
        Cgroups::None => (State::No, "none mounted: --memory, --cpus and --pids-limit end with 125"),
    };
    Line { what: "control groups", state, detail: detail.into(), mend: None, blocks: false }
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
