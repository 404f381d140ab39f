//! What is found on this host? Everything that [`super::lines`] judges, read or tried, and judged nowhere else.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bottle_runtime::caller::Caller;
use bottle_runtime::confine;
use bottle_runtime::report::chain;

use crate::tpm;

use super::attempt::{self, ATTEMPTS, Answer, Attempt};
use super::hooks::{self, Hook};
use super::profile::{self, Profile};

/// All of it.
#[derive(Clone, Debug)]
pub struct Findings {
    /// The caller's effective uid.
    pub uid: u32,
    /// The program's own path.
    pub program: PathBuf,
    /// What came of each attempt.
    pub attempts: BTreeMap<Attempt, Answer>,
    /// Settings below /proc/sys that exist.
    pub settings: BTreeMap<&'static str, u64>,
    /// Whether a seccomp filter lies upon the caller, as container engines put one on.
    pub filtered: bool,
    /// The control group hierarchies.
    pub cgroups: Cgroups,
    /// Soft and hard limit of open files.
    pub files: Option<(u64, u64)>,
    /// Whether a crash inside would start a program of the host's.
    pub dumps_reach_a_helper: bool,
    /// What came of asking the TPM, in a program that speaks to one: its key's id, or why there is none and what to do.
    pub tpm: Option<Result<String, (String, Option<&'static str>)>>,
    /// The hooks of ours that engines are told to call.
    pub hooks: Vec<Hook>,
    /// What podman's containers have for a filter, where the hooks look at it.
    pub profile: Option<Profile>,
    /// Where evidence goes, and whether a file could be made there.
    pub data: Result<PathBuf, String>,
}

/// Which hierarchies of control groups there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cgroups {
    /// Version 2 only.
    Two,
    /// Version 1, with version 2 beside it.
    Hybrid,
    /// Version 1 only.
    One,
    /// None is mounted.
    None,
}

/// The settings that matter, below /proc/sys.
pub const SETTINGS: [&str; 4] = [
    "kernel/apparmor_restrict_unprivileged_userns",
    "kernel/unprivileged_userns_clone",
    "user/max_user_namespaces",
    "user/max_net_namespaces",
];

/// Reads and tries everything. `data` is where evidence goes, or why it has no place.
pub fn find(caller: &Caller, data: Result<PathBuf, String>) -> Findings {
    let hooks = hooks::find();
    Findings {
        uid: caller.uid,
        program: std::env::current_exe().unwrap_or_else(|_| "bottle".into()),
        attempts: ATTEMPTS.into_iter().map(|attempt| (attempt, attempt::make(attempt))).collect(),
        settings: SETTINGS.into_iter().filter_map(|name| Some((name, setting(name)?))).collect(),
        filtered: status_says_filtered(&fs::read_to_string("/proc/self/status").unwrap_or_default()),
        cgroups: cgroups(&String::from_utf8_lossy(&fs::read("/proc/self/mountinfo").unwrap_or_default())),
        files: nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).ok(),
        dumps_reach_a_helper: confine::dumps_reach_a_helper(),
        tpm: tpm::speaker(None, caller).ok().map(|speaker| match speaker.attestation_key() {
            Ok(key) => Ok(key.id().to_string()),
            Err(failure) => Err((chain(&failure).join(": "), failure.hint)),
        }),
        profile: profile::find(&hooks),
        hooks,
        data: data.and_then(|directory| match try_to_write(&directory) {
            Ok(()) => Ok(directory),
            Err(error) => Err(format!("{}: {error}", directory.display())),
        }),
    }
}

fn setting(name: &str) -> Option<u64> {
    fs::read_to_string(Path::new("/proc/sys").join(name)).ok()?.trim().parse().ok()
}

fn status_says_filtered(status: &str) -> bool {
    status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "2"]))
}

/// Judges by the mounts' types, the field after ` - ` (proc(5)).
fn cgroups(mountinfo: &str) -> Cgroups {
    let mounted = |kind: &str| {
        let types = mountinfo.lines().filter_map(|line| line.split_once(" - "));
        types.into_iter().any(|(_, rest)| rest.split(' ').next() == Some(kind))
    };
    match (mounted("cgroup"), mounted("cgroup2")) {
        (false, true) => Cgroups::Two,
        (true, true) => Cgroups::Hybrid,
        (true, false) => Cgroups::One,
        (false, false) => Cgroups::None,
    }
}

fn try_to_write(directory: &Path) -> io::Result<()> {
    let path = directory.join(format!(".doctor.{}", std::process::id()));
    fs::File::create_new(&path)?.sync_all()?;
    fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_are_told_by_the_types_of_mounts() {
        let one = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";
        let two = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        assert_eq!(cgroups(one), Cgroups::One);
        assert_eq!(cgroups(two), Cgroups::Two);
        assert_eq!(cgroups(&format!("{one}{two}")), Cgroups::Hybrid);
        assert_eq!(cgroups("31 23 0:28 / /cgroup rw - tmpfs cgroup rw"), Cgroups::None);
    }

    #[test]
    fn a_seccomp_filter_is_seen_in_the_status() {
        assert!(status_says_filtered("NoNewPrivs:\t0\nSeccomp:\t2\n"));
        assert!(!status_says_filtered("Seccomp:\t0\nSeccomp_filters:\t2\n"));
    }
}
