//! Would the hooks refuse every container of podman's? They do where its own seccomp profile lets sockets of AF_VSOCK be opened.

use std::path::{Path, PathBuf};

use bottle_runtime::bounded;
use bottle_runtime::hook::{Exception, Settings};
use bottle_runtime::wrapper::{Vsock, closed};
use serde_json::Value;

use super::hooks::{self, Hook};

/// The one that podman takes before its own.
pub const PREFERRED: &str = "/etc/containers/seccomp.json";

/// Its own, as packages have it.
const OWN: &str = "/usr/share/containers/seccomp.json";

/// No profile is larger.
const MOST: u64 = 16 << 20;

/// What podman makes its containers' filters of, where nobody names another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The file.
    pub file: PathBuf,
    /// Whether no socket of AF_VSOCK is opened behind it, so that the hooks let it be.
    pub shut: bool,
}

/// The one that these hooks will see. Nothing where none are installed, where the settings let such sockets pass, or where podman has no file that can be read.
pub fn find(hooks: &[Hook]) -> Option<Profile> {
    let lets_pass = |hook: &Hook| {
        Settings::read(hook.settings.as_deref()).is_ok_and(|settings| settings.lets_pass(Exception::Vsock))
    };
    if hooks.iter().all(lets_pass) {
        return None;
    }
    let named = hooks::containers_conf().filter_map(|settings| named(&settings)).last();
    named.into_iter().chain([PREFERRED, OWN].map(PathBuf::from)).find_map(|file| read(&file))
}

/// The one that a containers.conf names.
fn named(settings: &toml::Table) -> Option<PathBuf> {
    let named = settings.get("containers")?.get("seccomp_profile")?.as_str()?;
    (!named.is_empty()).then(|| named.into())
}

fn read(file: &Path) -> Option<Profile> {
    let filter: Value = serde_json::from_slice(&bounded::read(file, MOST).ok()?).ok()?;
    Some(Profile { file: file.to_owned(), shut: is_shut(&filter) })
}

/// Where there is nothing to change.
fn is_shut(filter: &Value) -> bool {
    let mut changed = filter.clone();
    closed(&mut changed, Vsock::Denied).is_ok() && changed == *filter
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_profile_is_shut_when_it_was_made_so_and_podmans_is_not() {
        let mut profile = json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
            {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 16, "op": "SCMP_CMP_NE"}]},
        ]});
        assert!(!is_shut(&profile));
        closed(&mut profile, Vsock::Denied).unwrap();
        assert!(is_shut(&profile));
        assert!(!is_shut(&json!([])) && !is_shut(&json!(null)));
    }

    #[test]
    fn the_profile_is_the_one_that_a_containers_conf_names() {
        let named = |text: &str| named(&text.parse().unwrap());
        assert_eq!(named("[containers]\nseccomp_profile = \"/p.json\"\n"), Some("/p.json".into()));
        for text in ["", "[containers]\n", "[containers]\nseccomp_profile = \"\"\n", "seccomp_profile = \"/p.json\"\n"]
        {
            assert_eq!(named(text), None, "{text}");
        }
    }

    #[test]
    fn where_no_hook_is_installed_or_the_settings_let_it_pass_nothing_is_looked_at() {
        assert_eq!(find(&[]), None);
        let directory = tempfile::tempdir().unwrap();
        let settings = directory.path().join("hooks.json");
        std::fs::write(&settings, r#"{"allow": ["vsock"]}"#).unwrap();
        let hook = Hook { file: "/h".into(), program: "/b".into(), settings: Some(settings), works: true };
        assert_eq!(find(&[hook]), None);
    }
}
