//! Is the process that entered what the first one was? Measured from outside while it stands before its execve(2).

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use rustix::fs::StatVfsMountFlags;

use super::entrance::Entrance;
use crate::attest::process::{MeasureError, ProcessFacts, measure};
use crate::process;

/// Why it may not go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum CheckError {
    /// It is something else.
    #[error("the process that entered {0}")]
    Differs(String),
    /// It can't be measured.
    #[error(transparent)]
    Measure(#[from] MeasureError),
    /// The kernel could not be asked.
    #[error("cannot measure the process that entered")]
    Io(#[from] io::Error),
}

/// Demands of the process with this id, which is not reaped, that it is confined as the first one was. `outside` are the ids
/// that it must have.
pub(super) fn conforms(entrance: &Entrance, pid: u32, outside: (u32, u32)) -> Result<(), CheckError> {
    alike(&measure(pid)?, &entrance.first.facts, outside).map_err(CheckError::Differs)?;
    let differs = |what: &str| Err(CheckError::Differs(what.to_owned()));
    if identity(&format!("/proc/{pid}/root"))? != identity(&format!("/proc/{}/root", entrance.init_pid))? {
        return differs("has another root");
    }
    if !is_inside(pid)? {
        return differs("has a working directory outside of the bottle");
    }
    let executable = format!("/proc/{pid}/exe");
    let read_only =
        rustix::fs::statvfs(&executable).map_err(io::Error::from)?.f_flag.contains(StatVfsMountFlags::RDONLY);
    if identity(&executable)? != entrance.program.identity()? || !read_only {
        return differs("executes something else than bottle, or from where it could be written");
    }
    Ok(())
}

/// Whether its facts are the first process's but for its ids and what its streams are.
fn alike(facts: &ProcessFacts, first: &ProcessFacts, outside: (u32, u32)) -> Result<(), String> {
    let all = |id: u32| [id; 4].map(|id| id.to_string()).join(" ");
    let equal = [
        ("is in other namespaces", facts.namespaces == first.namespaces),
        ("has other uids", facts.uids == all(outside.0) && outside.0 != 0),
        ("has other gids", facts.gids == all(outside.1) && outside.1 != 0),
        ("has other groups", facts.groups == first.groups),
        ("has other capabilities", facts.capabilities == first.capabilities),
        ("could gain privileges", facts.no_new_privs && first.no_new_privs),
        ("has other seccomp filters", facts.seccomp == 2 && facts.seccomp_filters == first.seccomp_filters),
        ("has another map of ids", facts.uid_map == first.uid_map && facts.gid_map == first.gid_map),
        ("sees other mounts", facts.mounts == first.mounts),
    ];
    if let Some((what, _)) = equal.into_iter().find(|(_, holds)| !holds) {
        return Err(what.to_owned());
    }
    let harmless = |kind: &str| matches!(kind, "pipe" | "/dev/null") || kind.starts_with("/dev/pts/");
    match facts.descriptors.iter().find(|(_, kind)| !harmless(kind)) {
        Some((number, kind)) => Err(format!("holds descriptor {number}: {kind}")),
        None => Ok(()),
    }
}

fn identity(path: &str) -> io::Result<(u64, u64)> {
    let metadata = std::fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Whether its working directory lies on one of the mounts that it sees.
fn is_inside(pid: u32) -> io::Result<bool> {
    let directory = File::options().read(true).custom_flags(libc::O_PATH).open(format!("/proc/{pid}/cwd"))?;
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", directory.as_raw_fd()))?;
    let mount = info.lines().find_map(|line| line.strip_prefix("mnt_id:")).map(str::trim).unwrap_or_default();
    let mounts = process::text(format!("/proc/{pid}/mountinfo"))?;
    Ok(mounts.lines().any(|line| line.split(' ').next() == Some(mount)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first() -> ProcessFacts {
        let sets = ["CapInh", "CapPrm", "CapEff", "CapAmb", "CapBnd"];
        ProcessFacts {
            uids: "7 7 7 7".into(),
            gids: "8 8 8 8".into(),
            groups: String::new(),
            capabilities: sets.map(|set| (set.into(), "00".into())).into(),
            no_new_privs: true,
            seccomp: 2,
            seccomp_filters: 3,
            namespaces: ["user", "net"].map(|kind| (kind.into(), format!("{kind}:[2]"))).into(),
            uid_map: vec!["0 7 1".into()],
            gid_map: vec!["0 8 1".into()],
            descriptors: [(0, "/dev/null".into()), (1, "pipe".into())].into(),
            mounts: vec!["/ overlay rw".into()],
        }
    }

    #[test]
    fn a_process_like_the_first_conforms_whatever_pipes_it_has() {
        let with_terminal =
            ProcessFacts { descriptors: [(0, "/dev/pts/3".into()), (3, "pipe".into())].into(), ..first() };
        assert_eq!(alike(&first(), &first(), (7, 8)), Ok(()));
        assert_eq!(alike(&with_terminal, &first(), (7, 8)), Ok(()));
    }

    #[test]
    fn whatever_is_wider_than_the_first_is_refused() {
        type Spoil = fn(&mut ProcessFacts);
        let cases: [(&str, Spoil); 14] = [
            ("uid", |facts| facts.uids = "7 7 0 7".into()),
            ("gid", |facts| facts.gids = "8 8 8 0".into()),
            ("groups", |facts| facts.groups = "4".into()),
            ("capabilities", |facts| drop(facts.capabilities.insert("CapEff".into(), "01".into()))),
            ("bounding", |facts| drop(facts.capabilities.insert("CapBnd".into(), "01".into()))),
            ("privileges", |facts| facts.no_new_privs = false),
            ("seccomp", |facts| facts.seccomp = 0),
            ("filters", |facts| facts.seccomp_filters = 2),
            ("network", |facts| drop(facts.namespaces.insert("net".into(), "net:[1]".into()))),
            ("user", |facts| drop(facts.namespaces.insert("user".into(), "user:[1]".into()))),
            ("map", |facts| facts.uid_map = vec!["0 0 4294967295".into()]),
            ("groups' map", |facts| facts.gid_map = vec!["0 0 4294967295".into()]),
            ("mounts", |facts| facts.mounts.push("/host ext4 rw".into())),
            ("descriptor", |facts| drop(facts.descriptors.insert(7, "/".into()))),
        ];
        for (what, spoil) in cases {
            let mut facts = first();
            spoil(&mut facts);
            assert!(alike(&facts, &first(), (7, 8)).is_err(), "{what}");
        }
        assert!(
            alike(&ProcessFacts { uids: "0 0 0 0".into(), ..first() }, &first(), (0, 8)).is_err(),
            "the host's root"
        );
    }
}
