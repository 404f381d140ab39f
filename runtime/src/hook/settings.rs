//! What does the machine's administrator want of the hooks? `/etc/bottle/hooks.json`, which nobody else may write.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::guarded::{Unsafe, guarded};
use super::object;
use crate::bounded;

/// Where the settings are, where nobody says otherwise.
pub const PLACE: &str = "/etc/bottle/hooks.json";

/// No settings are larger.
const MOST: u64 = 1 << 20;

/// The settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What a container without an annotation of ours is.
    pub unannotated: Unannotated,
    /// The policy of a container that names none; without one it may reach nothing.
    pub policy: Option<String>,
    /// Where policies lie that annotations may name.
    pub policies: PathBuf,
    /// What is let pass that is refused by default.
    pub allow: BTreeSet<Exception>,
    /// Which engine's runtime `bottle-oci` goes on with; without one, the first of those that it looks for.
    pub runtime: Option<PathBuf>,
}

/// What a container without an annotation of ours is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unannotated {
    /// A bottle all the same.
    Bottled,
    /// None of our business.
    LeftAlone,
}

/// What is refused by default, since it weakens an airlock or what is around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exception {
    /// uid 0 inside is the host's.
    HostUser,
    /// Shared memory and message queues of the host's.
    HostIpc,
    /// CAP_SYS_ADMIN: mounts, namespaces, and much more.
    SysAdmin,
    /// CAP_NET_ADMIN: the packet rules of the container's namespace. What it changes there ends it.
    NetAdmin,
    /// CAP_SYS_PTRACE: other processes of the same ids.
    SysPtrace,
    /// CAP_SYS_MODULE: the kernel itself.
    SysModule,
    /// Any other capability that engines do not give to every container.
    OtherCapabilities,
    /// Devices of the host's beyond those of every container.
    Devices,
    /// A socket of an engine's, of systemd or of a message bus, whose holder starts other programs.
    EngineSocket,
    /// Any other socket of the host's that is shown by itself.
    HostSocket,
    /// Another file system than containers usually have, or one that is mounted in an unusual way.
    OtherMounts,
    /// Annotations that an engine's runtime reads, and that change what it does.
    RuntimeAnnotations,
    /// Settings of the kernel's that are not known to reach nothing.
    Sysctl,
    /// Files by which the host's root tells the kernel what to do.
    KernelFiles,
    /// A program that decides about system calls.
    SeccompListener,
    /// Sockets of AF_VSOCK, which belong to no network namespace.
    Vsock,
    /// A device of the host's as a standard stream, such as the terminal of whoever calls the engine.
    HostTerminal,
    /// Hooks that run after ours, and may change what was attested.
    LaterHooks,
    /// A bottle that may reach everything public, where an annotation asks for it.
    Observe,
}

impl Exception {
    /// Its name in the settings.
    pub fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            unannotated: Unannotated::LeftAlone,
            policy: None,
            policies: "/etc/bottle/policies".into(),
            allow: BTreeSet::new(),
            runtime: None,
        }
    }
}

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file could not be read.
    #[error("cannot read the settings {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else could write it.
    #[error(transparent)]
    Unsafe(#[from] Unsafe),
    /// It says what no settings say.
    #[error("{} has no settings of hooks", path.display())]
    Form {
        /// Which one.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
}

impl Settings {
    /// Reads the file. Where it is missing and nobody named it, the settings are the default.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub fn read(named: Option<&Path>) -> Result<Settings, SettingsError> {
        let path = named.unwrap_or(Path::new(PLACE));
        let failed = |source| SettingsError::Read { path: path.to_owned(), source };
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => return Ok(Settings::default()),
            opened => opened.map_err(failed)?,
        };
        guarded(&file, path)?;
        let bytes = bounded::read_from(&file, MOST).map_err(failed)?;
        object::read(&bytes).map_err(|source| SettingsError::Form { path: path.to_owned(), source })
    }

    /// Whether it is.
    pub fn lets_pass(&self, exception: Exception) -> bool {
        self.allow.contains(&exception)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_are_missing_unknown_or_open_to_others_are_none() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hooks.json");
        assert!(matches!(Settings::read(Some(&path)), Err(SettingsError::Read { .. })));
        std::fs::write(&path, r#"{"unannotated":"bottled","allow":["host-user"]}"#).unwrap();
        let settings = Settings::read(Some(&path)).unwrap();
        assert!(settings.unannotated == Unannotated::Bottled && settings.lets_pass(Exception::HostUser));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(matches!(Settings::read(Some(&path)), Err(SettingsError::Unsafe(_))));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        for text in [r#"{"allow":["everything"]}"#, r#"{"fail-open":true}"#, "", "[]"] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(Settings::read(Some(&path)), Err(SettingsError::Form { .. })), "{text}");
        }
    }
}
