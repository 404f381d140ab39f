//! Which TPM is spoken to? The one that is named, else the kernel's; in a program that was built with the feature `tpm`.

#[cfg(feature = "tpm")]
mod speaker;
#[cfg(not(feature = "tpm"))]
mod unbuilt;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bottle_runtime::caller::Caller;
use bottle_runtime::tpm::{Quoted, TpmUse};

use crate::report::Failure;

#[cfg(feature = "tpm")]
pub use speaker::Speaker;
#[cfg(not(feature = "tpm"))]
pub use unbuilt::Speaker;

/// The variable that names the TPM where no option does.
const VARIABLE: &str = "BOTTLE_TPM";

/// Where the kernel has one: its resource manager.
const DEVICE: &str = "/dev/tpmrm0";

/// The TPM that this option or the environment names: all attestations have a quote of it. Else the kernel's, which may keep a key;
/// none in a program that speaks to none.
pub fn used(option: Option<&Path>, caller: &Caller) -> Result<Option<TpmUse>, Failure> {
    let (speaker, quoted) = match named(option, caller) {
        Some(path) => (Speaker::at(path)?, Quoted::Always),
        None => match Speaker::at(DEVICE.into()) {
            Ok(speaker) => (speaker, Quoted::WithItsKey),
            Err(_) => return Ok(None),
        },
    };
    Ok(Some(TpmUse { tpm: Arc::new(speaker), quoted }))
}

/// The same to be asked itself.
pub fn speaker(option: Option<&Path>, caller: &Caller) -> Result<Speaker, Failure> {
    Speaker::at(named(option, caller).unwrap_or_else(|| DEVICE.into()))
}

fn named(option: Option<&Path>, caller: &Caller) -> Option<PathBuf> {
    let variable = caller.variables.get(VARIABLE).filter(|path| !path.is_empty());
    option.map(Path::to_owned).or_else(|| variable.map(PathBuf::from))
}
