//! `bottle attest renew`: what is this bottle behind, now?

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bottle_runtime::caller::Caller;
use bottle_runtime::control::Line;
use bottle_runtime::replaceable;

use crate::args::AttestRenewArgs;
use crate::commands::bottles;
use crate::report::Failure;
use crate::stdout;

/// The file can't be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the attestation {}", path.display())]
struct NotWritten {
    path: PathBuf,
    source: io::Error,
}

/// Has a bottle attested again, and hands the attestation on as it is.
pub fn run(args: &AttestRenewArgs, caller: &Caller) -> Result<ExitCode, Failure> {
    args.attestation.as_deref().map_or(Ok(()), replaceable).map_err(|error| {
        let hint = error.hint();
        Failure { hint, ..Failure::new(error) }
    })?;
    let known = bottles::find(&bottles::shelf(caller)?, &args.name)?;
    let bytes = Line::to(&known).and_then(|line| line.renew(args.nonce)).map_err(bottles::refused)?;
    match &args.attestation {
        Some(path) => {
            replace(path, &bytes).map_err(|source| Failure::new(NotWritten { path: path.to_owned(), source }))?;
        }
        None => stdout::exactly(&bytes)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Nobody ever sees half of it.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut unfinished = path.to_owned().into_os_string();
    unfinished.push(format!(".{}", std::process::id()));
    let unfinished = PathBuf::from(unfinished);
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    let written =
        file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| std::fs::rename(&unfinished, path));
    written.inspect_err(|_| {
        // The error that led here is the one that matters.
        let _ = std::fs::remove_file(&unfinished);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_or_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("attestation.json");
        for text in ["one", "another"] {
            replace(&path, text.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        std::fs::create_dir(directory.path().join("full")).unwrap();
        assert!(replace(&directory.path().join("full"), b"three").is_err());
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 2);
    }
}
