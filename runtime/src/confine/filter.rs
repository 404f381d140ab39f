//! How does a table of system calls become what the kernel runs?
//!
//! One program answers by number: allowed, forbidden with EPERM, or unknown, with the table's own error. A second one, which
//! counts more where both refuse, forbids by arguments with EPERM; a third one, where there is something to pretend, answers
//! calls as if they had been made. On x86-64 each kills a process that calls by another architecture's numbers; those of
//! x32 are unknown numbers.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};
use sha2::{Digest, Sha256};

use super::{ConfineError, at, numbers};

/// A table, as read by people.
pub(super) struct Filter {
    /// What is allowed unless `refused` forbids it.
    pub(super) allowed: Vec<i64>,
    /// What is forbidden: always, or when every condition of one of the cases holds.
    pub(super) refused: Vec<(i64, Vec<Case>)>,
    /// What seems to succeed and does nothing, in any of the cases: for programs that end where it fails.
    pub(super) pretended: Vec<(i64, Vec<Case>)>,
    /// The error for all else.
    pub(super) unknown: i32,
}

/// Conditions that hold together.
pub(super) type Case = Vec<When>;

/// A condition on the argument with this index.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    /// Its low 32 bits are this: what the kernel looks at where it takes an int.
    Is(u8, u32),
    /// Its low 32 bits are not this.
    IsNot(u8, u32),
    /// It is no null pointer.
    Given(u8),
    /// All these bits are set.
    Has(u8, u64),
    /// The bits under the mask are these.
    Bits(u8, u64, u64),
}

/// Why a table can't be compiled.
#[derive(Debug, thiserror::Error)]
#[error("the seccomp table can't be compiled")]
pub struct FilterError(#[from] seccompiler::BackendError);

impl Filter {
    /// The programs in the order in which they are installed.
    fn compile(&self) -> Result<Vec<BpfProgram>, FilterError> {
        let target = TargetArch::try_from(std::env::consts::ARCH)?;
        let unknown = SeccompAction::Errno(self.unknown as u32);
        let forbidden = SeccompAction::Errno(libc::EPERM as u32);
        let (always, sometimes): (Vec<_>, Vec<_>) =
            self.refused.iter().cloned().partition(|(_, cases)| cases.is_empty());
        let allowed = self.allowed.iter().map(|call| (*call as u32, SeccompAction::Allow));
        // Later entries count: what is forbidden is so although it is allowed, too.
        let answers = allowed.chain(always.iter().map(|(call, _)| (*call as u32, forbidden.clone()))).collect();
        let allow = numbers::program(&answers, &unknown, target)?;
        let but = |cases: &[(i64, Vec<Case>)], action| {
            SeccompFilter::new(rules(cases)?, SeccompAction::Allow, action, target)?.try_into()
        };
        let refuse = but(&sometimes, forbidden)?;
        let pretend = but(&self.pretended, SeccompAction::Errno(0))?;
        // Where both refuse, the kernel takes the error of the one installed last. A table without seccomp(2) can't be
        // followed by another; it has only one error, so that the order makes no difference to it.
        let ends = !self.allowed.contains(&libc::SYS_seccomp);
        let mut programs = if ends { vec![refuse, allow] } else { vec![allow, refuse] };
        if !self.pretended.is_empty() {
            programs.push(pretend);
        }
        Ok(programs)
    }

    /// SHA-256 in hex over the instructions of all programs.
    pub(super) fn digest(&self) -> Result<String, FilterError> {
        let mut hash = Sha256::new();
        for instruction in self.compile()?.iter().flatten() {
            hash.update(instruction.code.to_le_bytes());
            hash.update([instruction.jt, instruction.jf]);
            hash.update(instruction.k.to_le_bytes());
        }
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// The cases of each call, which may stand in the table more than once.
fn rules(table: &[(i64, Vec<Case>)]) -> Result<BTreeMap<i64, Vec<SeccompRule>>, seccompiler::BackendError> {
    let mut all = BTreeMap::new();
    for (call, cases) in table {
        let rules = cases.iter().map(|case| rule(case)).collect::<Result<Vec<_>, _>>()?;
        all.entry(*call).or_insert_with(Vec::new).extend(rules);
    }
    Ok(all)
}

fn rule(case: &[When]) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(case.iter().map(|when| condition(*when)).collect::<Result<Vec<_>, _>>()?)
}

fn condition(when: When) -> Result<SeccompCondition, seccompiler::BackendError> {
    use SeccompCmpArgLen::{Dword, Qword};
    match when {
        When::Is(index, value) => SeccompCondition::new(index, Dword, SeccompCmpOp::Eq, value.into()),
        When::IsNot(index, value) => SeccompCondition::new(index, Dword, SeccompCmpOp::Ne, value.into()),
        When::Given(index) => SeccompCondition::new(index, Qword, SeccompCmpOp::Ne, 0),
        When::Has(index, bits) => SeccompCondition::new(index, Qword, SeccompCmpOp::MaskedEq(bits), bits),
        When::Bits(index, mask, bits) => SeccompCondition::new(index, Qword, SeccompCmpOp::MaskedEq(mask), bits),
    }
}

/// Installs all programs on the calling thread.
pub(super) fn apply(filter: &Filter) -> Result<(), ConfineError> {
    let programs = filter.compile().map_err(io::Error::other).map_err(at("compile the seccomp table"))?;
    for program in &programs {
        seccompiler::apply_filter(program).map_err(io::Error::other).map_err(at("install a seccomp filter"))?;
    }
    Ok(())
}
