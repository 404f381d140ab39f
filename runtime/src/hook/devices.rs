//! Which devices of the host's may a container open, beyond those of every container? By a disk all of the host's files are read.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Configuration, Refusal};

/// One that is made for it (OCI runtime specification, `linux.devices`).
#[derive(Debug, Deserialize)]
pub(super) struct Device {
    #[serde(default)]
    path: PathBuf,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    major: i64,
    #[serde(default)]
    minor: i64,
}

/// What its control group lets it do (`linux.resources.devices`); what is not said, or -1, is any.
#[derive(Debug, Deserialize)]
pub(super) struct Rule {
    allow: bool,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    major: Option<i64>,
    #[serde(default)]
    minor: Option<i64>,
    #[serde(default)]
    access: Option<String>,
}

/// Which engines add themselves (OCI runtime specification, default devices).
const EVERY: [&str; 6] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];

/// Whether its engine is told to deny all devices but those that rules allow, which are looked at one by one.
pub(super) fn are_denied(configuration: &Configuration) -> bool {
    let is_any = |number: Option<i64>| number.is_none_or(|number| number < 0);
    configuration.written.linux.resources.devices.iter().flatten().any(|rule| {
        let all = rule.kind.as_ref().is_none_or(|kind| kind.is_empty() || kind == "a");
        let access = rule.access.as_ref().is_none_or(|it| it.is_empty() || "rw".chars().all(|one| it.contains(one)));
        !rule.allow && all && access && is_any(rule.major) && is_any(rule.minor)
    })
}

/// To make a device node is no power over the device: it takes a rule to open it. Where no rule holds, as for an ordinary user's
/// engine, one that is bound by itself is opened by its mode.
///
/// In a user namespace engines make none: they bind whatever the host has at the path that is named, be it no device at all.
pub(super) fn refused(configuration: &Configuration) -> Vec<Refusal> {
    let linux = &configuration.written.linux;
    let misnamed = linux.devices.iter().flatten().filter(|it| !is_by_its_name(it));
    let misnamed = misnamed
        .map(|it| Refusal::Device(format!("{} {}:{} by the name {}", it.kind, it.major, it.minor, it.path.display())));
    let made = linux.devices.iter().flatten().filter(|it| is_by_its_name(it));
    let made = made.map(|it| (it.kind.as_str(), Some(it.major), Some(it.minor)));
    let rules = linux.resources.devices.iter().flatten().filter(|rule| rule.allow && opens(rule));
    let ruled = rules.map(|rule| {
        let known = |number: Option<i64>| number.filter(|number| *number >= 0);
        (rule.kind.as_deref().filter(|kind| !kind.is_empty()).unwrap_or("a"), known(rule.major), known(rule.minor))
    });
    let bound = configuration.shown().into_iter().filter_map(|(source, _)| bound(&source));
    let beyond = made.chain(ruled).chain(bound).filter(|(kind, major, minor)| !is_usual(kind, *major, *minor));
    let beyond =
        beyond.map(|(kind, major, minor)| Refusal::Device(format!("{kind} {}:{}", number(major), number(minor))));
    misnamed.chain(beyond).collect()
}

/// Whether a device that every container has is named as every container has it. Of others it does not count: they are refused by their numbers.
fn is_by_its_name(device: &Device) -> bool {
    let name = match (device.major, device.minor) {
        _ if device.kind == "p" => return false,
        (major, minor) if !is_usual(&device.kind, Some(major), Some(minor)) => return true,
        (1, 3) => "null".into(),
        (1, 5) => "zero".into(),
        (1, 7) => "full".into(),
        (1, 8) => "random".into(),
        (1, 9) => "urandom".into(),
        (5, 0) => "tty".into(),
        (5, 1) => "console".into(),
        (5, 2) => "ptmx".into(),
        (10, 200) => "net/tun".into(),
        (_, minor) => format!("pts/{minor}"),
    };
    device.path == Path::new("/dev").join(name)
}

/// Where those lie on the host that engines give to every container, and those that this one is given. In a user namespace they are bound.
pub(super) fn usual(configuration: &Configuration) -> impl Iterator<Item = PathBuf> {
    let given = configuration.written.linux.devices.iter().flatten().map(|device| device.path.clone());
    EVERY.iter().map(PathBuf::from).chain(given)
}

fn bound(source: &Path) -> Option<(&'static str, Option<i64>, Option<i64>)> {
    let about = std::fs::metadata(source).ok()?;
    let kind = match about.file_type() {
        kind if kind.is_block_device() => "b",
        kind if kind.is_char_device() => "c",
        _ => return None,
    };
    let device = about.rdev();
    Some((kind, Some(rustix::fs::major(device).into()), Some(rustix::fs::minor(device).into())))
}

fn opens(rule: &Rule) -> bool {
    rule.access.as_ref().is_none_or(|access| access.is_empty() || access.contains(['r', 'w']))
}

/// null, zero, full, random, urandom; tty, console, ptmx; pseudo-terminals; tun, which runc adds itself (linux,
/// Documentation/admin-guide/devices.txt).
fn is_usual(kind: &str, major: Option<i64>, minor: Option<i64>) -> bool {
    let known = match (major, minor) {
        (Some(1), Some(minor)) => [3, 5, 7, 8, 9].contains(&minor),
        (Some(5), Some(minor)) => [0, 1, 2].contains(&minor),
        (Some(10), Some(200)) | (Some(136), _) => true,
        _ => false,
    };
    ["c", "u"].contains(&kind) && known
}

fn number(number: Option<i64>) -> String {
    number.map_or_else(|| "*".to_owned(), |number| number.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::refusals::tests::{good, refused};
    use super::super::{Exception, Refusal};

    #[test]
    fn a_device_of_the_hosts_is_refused_and_those_of_every_container_are_not() {
        let mut with = good();
        with["linux"]["resources"] = json!({"devices": [
            {"allow": false, "access": "rwm"},
            {"allow": true, "type": "c", "access": "m"},
            {"allow": true, "type": "b", "major": -1, "minor": -1, "access": "m"},
            {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm"},
            {"allow": true, "type": "c", "major": 136, "access": "rwm"},
        ]});
        with["linux"]["devices"] = json!([{"path": "/dev/null", "type": "c", "major": 1, "minor": 3}]);
        with["mounts"] = json!([{"destination": "/dev/null", "type": "bind", "source": "/dev/null"}]);
        assert_eq!(refused(&with, &[]), []);
        for (rule, named) in [
            (json!({"allow": true}), "a *:*"),
            (json!({"allow": true, "type": "a", "access": "rwm"}), "a *:*"),
            (json!({"allow": true, "type": "b", "major": 8, "minor": 0, "access": "r"}), "b 8:0"),
            (json!({"allow": true, "type": "c", "major": 1, "minor": 1, "access": "w"}), "c 1:1"),
            (json!({"allow": true, "type": "c", "major": 1, "access": "rw"}), "c 1:*"),
        ] {
            let mut wider = with.clone();
            wider["linux"]["resources"]["devices"].as_array_mut().unwrap().push(rule);
            assert_eq!(refused(&wider, &[]), [Refusal::Device(named.into())]);
            assert_eq!(refused(&wider, &[Exception::Devices]), []);
        }
        for (kind, path) in
            [("c", "/run/docker.sock"), ("u", "/dev/../secret"), ("p", "/secret"), ("p", "/dev/null"), ("c", "")]
        {
            let mut named = with.clone();
            let device = json!({"path": path, "type": kind, "major": 1, "minor": 3});
            named["linux"]["devices"].as_array_mut().unwrap().push(device);
            assert_eq!(refused(&named, &[]), [Refusal::Device(format!("{kind} 1:3 by the name {path}"))]);
            assert_eq!(refused(&named, &[Exception::Devices]), []);
        }
        let mut all = with.clone();
        all["linux"]["devices"] = json!([
            {"path": "/dev/urandom", "type": "c", "major": 1, "minor": 9},
            {"path": "/dev/pts/7", "type": "c", "major": 136, "minor": 7},
            {"path": "/dev/net/tun", "type": "u", "major": 10, "minor": 200},
        ]);
        assert_eq!(refused(&all, &[]), []);
        for (kind, major, minor) in [("b", 8, 0), ("c", 10, 232), ("u", 1, 1)] {
            let mut made = with.clone();
            let device = json!({"path": "/dev/x", "type": kind, "major": major, "minor": minor});
            made["linux"]["devices"].as_array_mut().unwrap().push(device);
            assert_eq!(refused(&made, &[]), [Refusal::Device(format!("{kind} {major}:{minor}"))]);
        }
    }
}
