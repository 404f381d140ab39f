//! `bottle attest keygen` and `keys`: which key signs here, which did, and how does a new one come?

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bottle_evidence::Time;
use bottle_evidence::key::{KeyId, PublicKey};
use bottle_runtime::caller::Caller;
use bottle_runtime::keys::{self, KeyFileError, Origin};
use serde_json::json;

use crate::report::{Failure, Reporter};
use crate::{state, stdout, tpm};

/// A key in a directory that is not there.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the key {}: there is no directory {}", path.display(), directory.display())]
struct Placeless {
    path: PathBuf,
    directory: PathBuf,
}

/// A TPM that is to keep a key, where none can be spoken to.
#[derive(Debug, thiserror::Error)]
#[error("cannot have a TPM keep the key: this bottle was built without that")]
struct NoTpm;

/// A key that is there already, and not as it was to be made.
#[derive(Debug, thiserror::Error)]
enum Otherwise {
    /// It lies in the open.
    #[error("the key {} exists, and no TPM keeps it", .0.display())]
    Open(PathBuf),
    /// A TPM gives it back at other times.
    #[error("the key {} exists, and a TPM keeps it for other PCRs", .0.display())]
    Pcrs(PathBuf),
}

/// Makes the key if there is none, for a TPM to keep where PCRs are given, and prints its public half.
pub(super) fn make(
    key: Option<&Path>,
    seal: Option<&[u8]>,
    tpm: Option<&Path>,
    caller: &Caller,
    reporter: Reporter,
) -> Result<ExitCode, Failure> {
    let path = match key {
        // A directory that was mistyped must not be made.
        Some(path) if !directory_of(path).is_dir() => {
            let directory = directory_of(path).to_owned();
            let hint = format!("make it first: mkdir -p {}", directory.display());
            return Err(Failure::new(Placeless { path: path.to_owned(), directory }).with_hint(hint));
        }
        _ => place(key, caller)?,
    };
    let used = seal.map(|_| tpm::used(tpm, caller)).transpose()?.flatten();
    if seal.is_some() && used.is_none() {
        return Err(Failure::new(NoTpm).with_hint("cargo build --release --features tpm builds one that does"));
    }
    let seal = used.as_ref().map(|used| used.tpm.as_ref()).zip(seal);
    let (key, origin) = keys::find_or_make_sealed(&path, seal).map_err(failure)?;
    if let Some((_, pcrs)) = seal {
        kept_for(&path, pcrs)?;
    }
    reporter.say(&match origin {
        Origin::Made => {
            let public = keys::public_file(&path);
            format!("made the private key {}; this is its public key, also in {}:", path.display(), public.display())
        }
        Origin::Found => {
            keys::mend(&path).map_err(failure)?;
            format!("the private key {} exists; this is its public key:", path.display())
        }
    });
    print(&key)
}

/// Demands that a TPM keeps the key, and for these PCRs.
fn kept_for(path: &Path, pcrs: &[u8]) -> Result<(), Failure> {
    let asked: BTreeSet<u8> = pcrs.iter().copied().collect();
    let otherwise = match keys::sealed_for(path).map_err(failure)? {
        Some(pcrs) if asked.iter().eq(&pcrs) => return Ok(()),
        Some(_) => Otherwise::Pcrs(path.to_owned()),
        None => Otherwise::Open(path.to_owned()),
    };
    Err(Failure::new(otherwise)
        .with_hint("give another file with --key: what a file has held, its disk may still hold"))
}

/// Puts a new key in the place of the old one, and prints its public half.
pub(super) fn rotate(
    key: Option<&Path>,
    tpm: Option<&Path>,
    caller: &Caller,
    reporter: Reporter,
) -> Result<ExitCode, Failure> {
    let path = place(key, caller)?;
    let waits = || reporter.say("a bottle is just starting with the old key: waiting until it has");
    let used = tpm::used(tpm, caller)?;
    let rotated = keys::rotate(&path, used.as_ref().map(|used| used.tpm.as_ref()), waits).map_err(failure)?;
    reporter.say(&format!(
        "the key {} is retired and its private half gone; {} verifies what it signed until now, and bottles that run go on with it",
        rotated.retired.id(),
        rotated.file.display()
    ));
    reporter.say(&format!("made another private key {}; this is its public key:", path.display()));
    print(&rotated.key)
}

/// Lists the keys of this place, the one that signs first.
pub(super) fn list(key: Option<&Path>, as_json: bool, caller: &Caller) -> Result<ExitCode, Failure> {
    let path = place(key, caller)?;
    let own = keys::own(&path).map_err(failure)?;
    let signs = (own.current.id(), None, path);
    let retired = own.retired.into_iter().rev().map(|(key, file)| (key.id(), key.retirement(), file));
    let all: Vec<(KeyId, Option<Time>, PathBuf)> = std::iter::once(signs).chain(retired).collect();
    if as_json {
        let one = |(id, retired, file): &(KeyId, Option<Time>, PathBuf)| json!({ "id": id, "retired": retired, "file": file });
        stdout::json(&json!(all.iter().map(one).collect::<Vec<_>>()))?;
        return Ok(ExitCode::SUCCESS);
    }
    for (id, retired, file) in all {
        let state = retired.map_or_else(|| "signs".to_owned(), |at| format!("retired {at}"));
        stdout::line(&format!("{id}  {state:<35}  {}", file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn place(key: Option<&Path>, caller: &Caller) -> Result<PathBuf, Failure> {
    key.map_or_else(|| state::default_key(caller), |path| Ok(path.to_owned()))
}

fn print(key: &PublicKey) -> Result<ExitCode, Failure> {
    stdout::line(key.to_pem().trim_end())?;
    Ok(ExitCode::SUCCESS)
}

fn failure(error: KeyFileError) -> Failure {
    let hint = error.hint().map(str::to_owned);
    Failure { hint, ..Failure::new(error) }
}

/// The directory that a path's last part lies in.
fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
