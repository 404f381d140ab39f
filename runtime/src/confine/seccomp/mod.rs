//! Which system calls may a process make? Tables compiled to filters, and their digests for the attestation.

mod dialler;
mod gate;
mod helper;
mod workload;

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};
use sha2::{Digest, Sha256};

pub use dialler::dialler;
pub use gate::gate;
pub use workload::workload;

/// What a table says of one call: always, or when every condition of one of the alternatives holds.
pub(super) enum Allow {
    /// Whatever its arguments are.
    Always(i64),
    /// Only so.
    When(i64, Vec<Vec<Argument>>),
}

/// A condition on one argument, looked at as its low 32 bits unless it says otherwise.
#[derive(Clone, Copy)]
pub(super) enum Argument {
    /// Equals.
    Is(u8, u64),
    /// Differs.
    Not(u8, u64),
    /// None of these bits is set.
    Without(u8, u64),
    /// Of the bits in the mask, exactly these.
    Masked(u8, u64, u64),
}

/// Filters, in the order in which they are put on.
#[derive(Clone, Debug)]
pub struct Filters(Vec<BpfProgram>);

/// Why a table could not be compiled or put on.
#[derive(Debug, thiserror::Error)]
pub enum SeccompError {
    /// The table itself is wrong.
    #[error("a system call table does not compile: {0}")]
    Compile(String),
    /// The kernel refused it.
    #[error("the kernel takes no seccomp filter")]
    Apply(#[source] io::Error),
}

impl Filters {
    /// SHA-256 over the programs' instructions, in hex: the kernel's own layout of `struct sock_filter`, in order.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for instruction in self.0.iter().flatten() {
            hash.update(instruction.code.to_ne_bytes());
            hash.update([instruction.jt, instruction.jf]);
            hash.update(instruction.k.to_ne_bytes());
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Puts them on the calling thread, for ever. Sets no_new_privs.
    pub fn apply(&self) -> Result<(), SeccompError> {
        for program in &self.0 {
            seccompiler::apply_filter(program).map_err(|error| SeccompError::Apply(io::Error::other(error)))?;
        }
        Ok(())
    }
}

/// An allowlist and the errors for the rest: what is in no table gets EPERM; what a libc falls back from gets ENOSYS.
/// Another architecture's calls (i386, x32) end the process.
fn filters(allowed: Vec<Allow>, absent: &[i64]) -> Result<Filters, SeccompError> {
    let list = compile(rules(allowed)?, SeccompAction::Errno(libc::EPERM as u32), SeccompAction::Allow)?;
    if absent.is_empty() {
        return Ok(Filters(vec![list]));
    }
    // Of two filters that both refuse with an errno, the kernel takes the one that was put on last.
    let gone = absent.iter().map(|call| (*call, Vec::new())).collect();
    let absent = compile(gone, SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS as u32))?;
    Ok(Filters(vec![list, absent]))
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn compile(rules: Rules, otherwise: SeccompAction, matched: SeccompAction) -> Result<BpfProgram, SeccompError> {
    let wrong = |error: &dyn std::fmt::Display| SeccompError::Compile(error.to_string());
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| wrong(&error))?;
    let filter = SeccompFilter::new(rules, otherwise, matched, architecture).map_err(|error| wrong(&error))?;
    BpfProgram::try_from(filter).map_err(|error| wrong(&error))
}

fn rules(allowed: Vec<Allow>) -> Result<Rules, SeccompError> {
    let mut rules = Rules::new();
    for entry in allowed {
        let (call, alternatives) = match entry {
            Allow::Always(call) => (call, Vec::new()),
            Allow::When(call, alternatives) => (call, alternatives),
        };
        let compiled = alternatives.into_iter().map(rule).collect::<Result<_, _>>()?;
        if rules.insert(call, compiled).is_some() {
            return Err(SeccompError::Compile(format!("call {call} stands in the table twice")));
        }
    }
    Ok(rules)
}

fn rule(conditions: Vec<Argument>) -> Result<SeccompRule, SeccompError> {
    let conditions = conditions.into_iter().map(|argument| {
        let (index, operator, value) = match argument {
            Argument::Is(index, value) => (index, SeccompCmpOp::Eq, value),
            Argument::Not(index, value) => (index, SeccompCmpOp::Ne, value),
            Argument::Without(index, bits) => (index, SeccompCmpOp::MaskedEq(bits), 0),
            Argument::Masked(index, mask, value) => (index, SeccompCmpOp::MaskedEq(mask), value),
        };
        // The kernel takes an int from the low half of the register, so the high half must not tell calls apart.
        SeccompCondition::new(index, SeccompCmpArgLen::Dword, operator, value)
    });
    let conditions = conditions.collect::<Result<_, _>>();
    conditions.and_then(SeccompRule::new).map_err(|error| SeccompError::Compile(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_compiles() {
        for filters in [workload(), gate(), dialler()] {
            assert_eq!(filters.unwrap().digest().len(), 64);
        }
    }

    #[test]
    fn a_call_stands_in_a_table_only_once() {
        let twice = vec![Allow::Always(libc::SYS_read), Allow::Always(libc::SYS_read)];
        assert!(filters(twice, &[]).is_err());
    }

    #[test]
    fn different_tables_have_different_digests() {
        assert_ne!(gate().unwrap().digest(), dialler().unwrap().digest());
    }
}
