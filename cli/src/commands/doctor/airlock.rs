//! Which step of building the airlock failed? The errors of the builder as answers.

use bottle_netns::build::BuildError;
use bottle_netns::enter::EnterError;
use bottle_runtime::report::chain;
use nix::errno::Errno;

use super::attempt::{Answer, Step};

/// A namespace that could not be had.
pub fn namespace_refused(error: EnterError) -> Answer {
    let errno = match &error {
        EnterError::NoUserNamespaces { errno }
        | EnterError::AppArmor { errno }
        | EnterError::Network { errno }
        | EnterError::Enter { errno } => Some(*errno as i32),
        EnterError::Map { source, .. } | EnterError::Open { source, .. } => source.raw_os_error(),
    };
    Answer::Failed { step: Step::Namespace, errno, text: words(&error) }
}

/// An airlock that could not be built.
pub fn refused(error: BuildError) -> Answer {
    let (step, errno) = match &error {
        BuildError::Namespace(_) => (Step::Namespace, None),
        BuildError::Sysctl { errno, .. } => (Step::Setting, Some(*errno)),
        BuildError::NoVeth { errno } => (Step::Veth, Some(*errno)),
        BuildError::NoNfTables { errno } => (Step::Nftables, Some(*errno)),
        BuildError::NoTproxy { errno } => (Step::Tproxy, Some(*errno)),
        BuildError::Rule { entry, errno, .. } => (rule(entry, *errno), Some(*errno)),
        BuildError::Link { errno, .. } => (Step::Link, Some(*errno)),
        BuildError::Socket { errno, .. } => (Step::Socket, Some(*errno)),
        _ => (Step::Elsewhere, None),
    };
    match error {
        BuildError::Namespace(error) => namespace_refused(error),
        error => Answer::Failed { step, errno: errno.map(|errno| errno as i32), text: words(&error) },
    }
}

/// A kernel without an expression says ENOENT to the rule that uses it.
fn rule(entry: &str, errno: Errno) -> Step {
    if errno == Errno::ENOENT && entry.contains("\"log\"") { Step::Nflog } else { Step::Nftables }
}

fn words(error: &dyn std::error::Error) -> String {
    chain(error).join(": ")
}

#[cfg(test)]
mod tests {
    use bottle_netns::Side;

    use super::*;

    fn step(error: BuildError) -> Step {
        match refused(error) {
            Answer::Failed { step, .. } => step,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_missing_kernel_part_is_told_apart() {
        let errno = Errno::EOPNOTSUPP;
        assert_eq!(step(BuildError::NoVeth { errno }), Step::Veth);
        assert_eq!(step(BuildError::NoNfTables { errno }), Step::Nftables);
        assert_eq!(step(BuildError::NoTproxy { errno }), Step::Tproxy);
    }

    #[test]
    fn a_kernel_without_the_log_expression_is_told_apart() {
        let entry = r#"{"add":{"rule":{"expr":[{"log":{"group":1}}]}}}"#.to_owned();
        let error = BuildError::Rule { side: Side::Gate, entry, errno: Errno::ENOENT };
        assert_eq!(step(error), Step::Nflog);
    }

    #[test]
    fn a_refused_namespace_keeps_its_errno() {
        let answer = refused(BuildError::Namespace(EnterError::NoUserNamespaces { errno: Errno::ENOSPC }));
        assert!(matches!(answer, Answer::Failed { step: Step::Namespace, errno: Some(libc::ENOSPC), .. }));
    }
}
