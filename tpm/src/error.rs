//! Why did a TPM not do what it was asked for?

use std::io;
use std::path::PathBuf;

/// Why there is no answer, or none that helps.
#[derive(Debug, thiserror::Error)]
pub enum TpmError {
    /// There is none that could be spoken to.
    #[error("cannot speak to the TPM {}", path.display())]
    Open {
        /// Where it should be.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The conversation broke.
    #[error("the TPM gave no answer to {command}")]
    Silent {
        /// What it was asked for.
        command: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The answer is none.
    #[error("the TPM's answer to {command} is malformed")]
    Malformed {
        /// What it was asked for.
        command: &'static str,
    },
    /// The PCRs are not what they were.
    #[error("the TPM does not unseal: the PCRs that it was sealed for have other values now")]
    Pcrs,
    /// It was sealed elsewhere.
    #[error(
        "the TPM does not know what is sealed: another one sealed it, its owner was cleared, or the file was changed"
    )]
    Foreign,
    /// A hierarchy has a password.
    #[error("the TPM's {hierarchy} hierarchy has a password, and bottle knows none")]
    Password {
        /// Which one.
        hierarchy: &'static str,
    },
    /// The PCRs never stood still.
    #[error("the PCRs changed each time they were read")]
    Restless,
    /// The bank is not there.
    #[error("the TPM has no SHA-256 value of PCR {0}")]
    NoPcr(u8),
    /// Anything else that it says.
    #[error("the TPM refuses {command} with {code:#05x}")]
    Refused {
        /// What it was asked for.
        command: &'static str,
        /// TPM_RC.
        code: u32,
    },
}

impl TpmError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            TpmError::Open { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("its device belongs to a group, mostly `tss`: join it, or run as root")
            }
            TpmError::Open { .. } => Some("--tpm takes the kernel's device, /dev/tpmrm0, or the unix socket of swtpm"),
            TpmError::Pcrs => Some(
                "the machine was started with other firmware, boot loader or settings than when the key was sealed: find out why; then `bottle attest keygen --rotate` makes another key",
            ),
            TpmError::Foreign => Some("a sealed key is good for one TPM: make another one here"),
            TpmError::Refused { code: LOCKOUT, .. } => Some("it is locked out for a while after failed attempts"),
            TpmError::Refused { code: INITIALIZE, .. } => Some("nobody started it: swtpm needs --flags startup-clear"),
            _ => None,
        }
    }
}

pub(crate) const INITIALIZE: u32 = 0x100;
pub(crate) const LOCKOUT: u32 = 0x921;

/// What a response code means. Of one that speaks of a parameter, a handle or a session, its number is left out.
pub(crate) fn refused(command: &'static str, code: u32) -> TpmError {
    const ABOUT_SOMETHING: u32 = 0x080;
    let general = if code & ABOUT_SOMETHING != 0 { code & 0x0bf } else { code };
    match general {
        0x09d | 0x128 => TpmError::Pcrs,
        0x09f => TpmError::Foreign,
        _ => TpmError::Refused { command, code: general },
    }
}

/// Whether the same question may be put again.
pub(crate) fn is_busy(code: u32) -> bool {
    matches!(code, 0x908 | 0x90a | 0x922)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_the_same_whichever_parameter_handle_or_session_it_speaks_of() {
        for code in [0x09d, 0x19d, 0x99d, 0x29d] {
            assert!(matches!(refused("Unseal", code), TpmError::Pcrs), "{code:#x}");
        }
        assert!(matches!(refused("Load", 0x1df), TpmError::Foreign));
        assert!(matches!(refused("Load", 0x902), TpmError::Refused { code: 0x902, .. }));
    }
}
