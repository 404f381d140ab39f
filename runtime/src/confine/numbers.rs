//! How do answers by a call's number become a program? With two comparisons for each run of neighbours, not one for each
//! number.
//!
//! A start installs a dozen programs, and of each the kernel finds out what it says to every number that there is.

use std::collections::BTreeMap;

use libc::{BPF_ABS, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};
use seccompiler::{BackendError, BpfProgram, SeccompAction, SeccompFilter, TargetArch, sock_filter};

/// Where the number lies in what the kernel hands to a program (`struct seccomp_data`).
const NUMBER: u32 = 0;

/// Gives the numbers in the map their answers, and `unknown` to all others, those of x32 among them. Who calls by another
/// architecture's numbers is killed.
pub(super) fn program(
    answers: &BTreeMap<u32, SeccompAction>,
    unknown: &SeccompAction,
    target: TargetArch,
) -> Result<BpfProgram, BackendError> {
    let mut program = of_this_architecture(unknown, target)?;
    program.push(statement(BPF_LD | BPF_W | BPF_ABS, NUMBER));
    for run in runs(answers) {
        // Beyond it: on to the next. Before it, and beyond the one before: unknown.
        program.push(at_least(run.last + 1, 3, 0));
        program.push(at_least(run.first, 0, 1));
        program.push(answer(run.answer));
        program.push(answer(unknown));
    }
    program.push(answer(unknown));
    Ok(program)
}

/// How every program of seccompiler's begins: one that knows no number, without its last instruction, which answers.
fn of_this_architecture(unknown: &SeccompAction, target: TargetArch) -> Result<BpfProgram, BackendError> {
    let empty = SeccompFilter::new(BTreeMap::new(), unknown.clone(), SeccompAction::Allow, target)?;
    let mut program = BpfProgram::try_from(empty)?;
    program.pop();
    Ok(program)
}

/// Numbers that follow one another and have the same answer.
struct Run<'a> {
    first: u32,
    last: u32,
    answer: &'a SeccompAction,
}

fn runs(answers: &BTreeMap<u32, SeccompAction>) -> Vec<Run<'_>> {
    let mut runs: Vec<Run<'_>> = Vec::new();
    for (number, answer) in answers {
        match runs.last_mut() {
            Some(run) if run.last + 1 == *number && run.answer == answer => run.last = *number,
            _ => runs.push(Run { first: *number, last: *number, answer }),
        }
    }
    runs
}

fn statement(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

/// Skips so many instructions where the number is at least this, and so many where it is less.
fn at_least(number: u32, skipped: u8, else_skipped: u8) -> sock_filter {
    sock_filter { jt: skipped, jf: else_skipped, ..statement(BPF_JMP | BPF_JGE | BPF_K, number) }
}

fn answer(answer: &SeccompAction) -> sock_filter {
    statement(BPF_RET | BPF_K, answer.clone().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the program answers to a number, as the kernel would run it behind the check of the architecture.
    fn run(program: &[sock_filter], number: u32) -> u32 {
        let load = program.iter().rposition(|it| u32::from(it.code) == BPF_LD | BPF_W | BPF_ABS).unwrap();
        let mut at = load + 1;
        loop {
            let it = &program[at];
            if u32::from(it.code) == BPF_RET | BPF_K {
                return it.k;
            }
            assert_eq!(u32::from(it.code), BPF_JMP | BPF_JGE | BPF_K);
            at += 1 + usize::from(if number >= it.k { it.jt } else { it.jf });
        }
    }

    #[test]
    fn every_number_has_the_answer_that_was_given_for_it() {
        let (allow, refuse, unknown) = (SeccompAction::Allow, SeccompAction::Errno(1), SeccompAction::Errno(38));
        let mut answers: BTreeMap<u32, SeccompAction> =
            [0, 1, 2, 5, 7, 8, 448, 450].map(|it| (it, allow.clone())).into();
        answers.extend([3, 9, 10, 449].map(|it| (it, refuse.clone())));
        let target = TargetArch::try_from(std::env::consts::ARCH).unwrap();
        let program = program(&answers, &unknown, target).unwrap();
        for number in (0..1024).chain([0x4000_0000, 0x4000_0001, 0x7fff_ffff, 0x8000_0000, u32::MAX]) {
            let expected = answers.get(&number).unwrap_or(&unknown);
            assert_eq!(run(&program, number), u32::from(expected.clone()), "{number}");
        }
    }

    #[test]
    fn a_table_without_numbers_knows_none() {
        let target = TargetArch::try_from(std::env::consts::ARCH).unwrap();
        let program = program(&BTreeMap::new(), &SeccompAction::Errno(38), target).unwrap();
        assert_eq!(run(&program, 0), u32::from(SeccompAction::Errno(38)));
    }

    #[test]
    fn the_architecture_is_checked_before_the_number() {
        const ARCHITECTURE: u32 = 4;
        let target = TargetArch::try_from(std::env::consts::ARCH).unwrap();
        let program = program(&BTreeMap::new(), &SeccompAction::Errno(38), target).unwrap();
        assert_eq!((u32::from(program[0].code), program[0].k), (BPF_LD | BPF_W | BPF_ABS, ARCHITECTURE));
        assert_eq!(program[2].k, u32::from(SeccompAction::KillProcess));
    }
}
