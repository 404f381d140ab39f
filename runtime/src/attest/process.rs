//! What is a process, as /proc shows it: who it is, what it may do, where it lives, what it holds?

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use bottle_evidence::Digest;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags};
use serde::Serialize;

use crate::digest::{self, Ahead};
use crate::process;

/// One process, measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProcessFacts {
    /// `real effective saved filesystem` uids, as seen from the supervisor's user namespace.
    pub uids: String,
    /// The gids, likewise.
    pub gids: String,
    /// Supplementary groups.
    pub groups: String,
    /// The five capability sets by their names in /proc (`CapEff`), in hex.
    pub capabilities: BTreeMap<String, String>,
    /// Whether no_new_privs is set.
    pub no_new_privs: bool,
    /// 0 off, 1 strict, 2 filter.
    pub seccomp: u32,
    /// How many filters lie upon it.
    pub seccomp_filters: u32,
    /// Namespace inodes by type.
    pub namespaces: BTreeMap<String, String>,
    /// The lines of uid_map, with single spaces.
    pub uid_map: Vec<String>,
    /// Those of gid_map.
    pub gid_map: Vec<String>,
    /// Descriptors by number: `pipe`, `socket`, `/dev/null`.
    pub descriptors: BTreeMap<u32, String>,
    /// `target type ro|rw` of each mount, in mount order.
    pub mounts: Vec<String>,
}

impl ProcessFacts {
    /// Whether any of its uids is the host's root.
    pub(crate) fn is_root(&self) -> bool {
        self.uids.split(' ').any(|uid| uid == "0")
    }
}

/// Why a process could not be measured.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}", path.display())]
pub struct MeasureError {
    pub(super) path: PathBuf,
    pub(crate) source: io::Error,
}

/// Measures the process with this id in our pid namespace. The id must not come to mean another one meanwhile: it is a
/// child that was not reaped, or the caller asks its pidfd afterwards.
pub fn measure(pid: u32) -> Result<ProcessFacts, MeasureError> {
    measure_at(pid, &PathBuf::from(format!("/proc/{pid}")))
}

/// The same by its directory in /proc, or that of one of its threads.
pub(crate) fn measure_at(pid: u32, base: &Path) -> Result<ProcessFacts, MeasureError> {
    let mounts = read(&base.join("mountinfo"))?.lines().filter_map(mount).collect();
    Ok(ProcessFacts { descriptors: descriptors(pid, base)?, mounts, ..identify_at(base)? })
}

/// Who it is, what it may do and where it lives; not what it holds, nor what it sees.
pub fn identify(pid: u32) -> Result<ProcessFacts, MeasureError> {
    identify_at(&PathBuf::from(format!("/proc/{pid}")))
}

/// The same of a process or thread by its directory in /proc.
pub(crate) fn identify_at(base: &Path) -> Result<ProcessFacts, MeasureError> {
    Ok(ProcessFacts { namespaces: namespaces(&base.join("ns"))?, ..public_at(base)? })
}

/// What everybody may read of a process, whoever may not look into it: not where it lives.
pub(crate) fn public(pid: u32) -> Result<ProcessFacts, MeasureError> {
    public_at(&PathBuf::from(format!("/proc/{pid}")))
}

fn public_at(base: &Path) -> Result<ProcessFacts, MeasureError> {
    let status = parse_status(&read(&base.join("status"))?);
    let field = |name: &str| status.get(name).cloned().unwrap_or_default();
    let number = |name: &str| field(name).parse().unwrap_or(u32::MAX);
    Ok(ProcessFacts {
        uids: field("Uid"),
        gids: field("Gid"),
        groups: field("Groups"),
        capabilities: status.iter().filter(|(name, _)| name.starts_with("Cap")).map(own).collect(),
        no_new_privs: field("NoNewPrivs") == "1",
        seccomp: number("Seccomp"),
        seccomp_filters: number("Seccomp_filters"),
        namespaces: BTreeMap::new(),
        uid_map: id_map_at(base, "uid_map")?,
        gid_map: id_map_at(base, "gid_map")?,
        descriptors: BTreeMap::new(),
        mounts: Vec::new(),
    })
}

/// The lines of `uid_map` or `gid_map`, with single spaces.
pub(crate) fn id_map(pid: u32, file: &str) -> Result<Vec<String>, MeasureError> {
    id_map_at(&PathBuf::from(format!("/proc/{pid}")), file)
}

fn id_map_at(base: &Path, file: &str) -> Result<Vec<String>, MeasureError> {
    Ok(read(&base.join(file))?.lines().map(single_spaced).collect())
}

/// SHA-256 of a file as the process sees it: `path` is resolved within its root, symbolic links too. What was hashed ahead
/// is not read again.
pub fn file_digest(pid: u32, path: &Path, ahead: Option<&Ahead>) -> Result<Digest, MeasureError> {
    let failed = |source| MeasureError { path: path.to_owned(), source };
    let file = file_seen_by(pid, path).map_err(failed)?;
    let known = ahead.map_or(Ok(None), |ahead| ahead.holds_for(&file)).map_err(failed)?;
    known.map_or_else(|| digest::of_file(&file), Ok).map_err(failed)
}

/// The same ahead of time, where the file can be read already.
pub(super) fn file_digest_ahead(pid: u32, path: &Path) -> Option<Ahead> {
    Ahead::of(&file_seen_by(pid, path).ok()?).ok()?
}

fn file_seen_by(pid: u32, path: &Path) -> io::Result<File> {
    let root = File::open(format!("/proc/{pid}/root"))?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat2(&root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT)?.into())
}

fn own((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}

/// A whole file of /proc: with room for all of it, the kernel writes it out once and not in many small pieces.
pub(crate) fn read(path: &Path) -> Result<String, MeasureError> {
    let mut bytes = Vec::with_capacity(16 * 1024);
    let read = File::open(path).and_then(|mut file| file.read_to_end(&mut bytes));
    // Names in it are as their owners like.
    let text =
        |_| String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    read.map(text).map_err(|source| MeasureError { path: path.to_owned(), source })
}

/// `Name:\tvalue` lines (proc(5), /proc/pid/status).
fn parse_status(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), single_spaced(value)))
        .collect()
}

fn single_spaced(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

fn links(directory: &Path) -> Result<BTreeMap<String, String>, MeasureError> {
    let failed = |source| MeasureError { path: directory.to_owned(), source };
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let target = match std::fs::read_link(entry.path()) {
            // Closed since the directory was read: it is not held any more.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other.map_err(failed)?,
        };
        found.insert(entry.file_name().to_string_lossy().into_owned(), target.to_string_lossy().into_owned());
    }
    Ok(found)
}

/// All that namespaces(7) knows. They are asked for one by one: the list may be read by the process's own uid only.
fn namespaces(directory: &Path) -> Result<BTreeMap<String, String>, MeasureError> {
    #[rustfmt::skip]
    const NAMES: [&str; 10] =
        ["cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "time_for_children", "user", "uts"];
    let mut found = BTreeMap::new();
    for name in NAMES {
        let path = directory.join(name);
        match std::fs::read_link(&path) {
            // This kernel has no such kind.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            target => {
                let target = target.map_err(|source| MeasureError { path, source })?;
                found.insert(name.to_owned(), target.to_string_lossy().into_owned());
            }
        }
    }
    Ok(found)
}

fn descriptors(pid: u32, base: &Path) -> Result<BTreeMap<u32, String>, MeasureError> {
    let listed = match links(&base.join("fd")) {
        Err(error) if error.source.kind() == io::ErrorKind::PermissionDenied => {
            let failed = |source| MeasureError { path: base.join("fd"), source };
            return held_by_another(pid, base).map_err(failed);
        }
        listed => listed?.into_iter(),
    };
    Ok(listed.filter_map(|(number, target)| Some((number.parse().ok()?, kind(&target)))).collect())
}

/// Those of a process whose uid is not the caller's, in a user namespace that is: each is fetched, looked at and let go.
fn held_by_another(pid: u32, base: &Path) -> io::Result<BTreeMap<u32, String>> {
    let status = parse_status(&process::text(base.join("status"))?);
    let room: i32 = status.get("FDSize").and_then(|size| size.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    let process = rustix::process::pidfd_open(process, PidfdFlags::empty())?;
    let mut found = BTreeMap::new();
    for number in 0..room {
        match rustix::process::pidfd_getfd(&process, number, PidfdGetfdFlags::empty()) {
            Err(rustix::io::Errno::BADF) => {}
            fetched => {
                let fetched = fetched?;
                let target = std::fs::read_link(format!("/proc/self/fd/{}", fetched.as_raw_fd()))?;
                found.insert(number.unsigned_abs(), kind(&target.to_string_lossy()));
            }
        }
    }
    Ok(found)
}

/// `pipe:[123]` is a `pipe`: the number says nothing that lasts.
fn kind(target: &str) -> String {
    target.split_once(":[").map_or(target, |(kind, _)| kind).to_owned()
}

/// Target, type and access of one line of mountinfo (proc(5)).
fn mount(line: &str) -> Option<String> {
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ').skip(4);
    let (target, options) = (fields.next()?, fields.next()?);
    let access = if options.split(',').any(|option| option == "ro") { "ro" } else { "rw" };
    Some(format!("{target} {} {access}", after.split(' ').next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calling_process_can_be_measured() {
        let facts = measure(std::process::id()).unwrap();
        assert!(facts.namespaces["net"].starts_with("net:["));
        assert!(facts.capabilities.contains_key("CapBnd"));
        assert!(facts.mounts.iter().any(|mount| mount.starts_with("/ ")));
        assert_eq!(facts.uids.split(' ').count(), 4);
    }

    #[test]
    fn a_file_is_hashed_as_the_process_sees_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        let digest = file_digest(std::process::id(), file.path(), None).unwrap();
        assert_eq!(digest, bottle_evidence::sha256(b"abc"));
    }

    #[test]
    fn a_mountinfo_line_becomes_target_type_and_access() {
        let line = "36 35 98:0 /mnt1 /mnt2 ro,noatime master:1 - ext3 /dev/root rw,errors=continue";
        assert_eq!(mount(line).as_deref(), Some("/mnt2 ext3 ro"));
    }
}
