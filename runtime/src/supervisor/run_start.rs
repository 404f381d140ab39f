//! How does the log of a run begin that tests write?

use bottle_evidence::Digest;
use bottle_evidence::audit::{Entry, RunStart, Workload};
use bottle_evidence::predicate::Mode;
use bottle_policy::Rules;

pub(super) fn run_start() -> Entry {
    Entry::RunStart(RunStart {
        run: "run".into(),
        attestation: Digest::ZERO,
        workload: Workload { pid: 1, start: 1 },
        command: vec!["true".into()],
        mode: Mode::Enforce,
        policy: Digest(Rules::deny_all().digest()),
    })
}
