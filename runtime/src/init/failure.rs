//! How does a failed step of init become what a person reads?

use std::io;
use std::path::Path;

use super::message::Failure;

/// The failure of a step of ours: bottle failed, nothing ran.
pub(crate) fn at<E: Into<io::Error>>(step: impl Into<String>) -> impl FnOnce(E) -> Failure {
    let step = step.into();
    move |error| {
        let error: io::Error = error.into();
        Failure { code: 125, hint: hint(&error), what: format!("cannot {step}: {error}") }
    }
}

/// The same for a step that concerns a path.
pub(super) fn on<E: Into<io::Error>>(step: &str, path: &Path) -> impl FnOnce(E) -> Failure {
    at(format!("{step} {}", path.display()))
}

fn hint(error: &io::Error) -> Option<String> {
    match error.raw_os_error()? {
        libc::EPERM | libc::ENOSPC | libc::EUSERS => {
            Some("`bottle doctor` tells what this host lacks and how to mend it".to_owned())
        }
        libc::EMFILE => Some(crate::descriptors::HINT.to_owned()),
        libc::ENOSYS => Some("the kernel is too old: bottle needs 5.12 or later".to_owned()),
        _ => None,
    }
}
