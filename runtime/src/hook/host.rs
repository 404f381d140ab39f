//! What would an engine's runtime set on the host for a container, or leave open to it? Settings of the kernel's, its control group,
//! devices of the network's, and, where the container's root is the host's, the files by which the kernel is told what to do.

use super::configuration::Mounted;
use super::{Configuration, Refusal, mounts, namespaces};
use crate::nested::Nested;

/// Settings that belong to the container's own namespaces and reach nothing beyond them; the ones of the network are those that Kubernetes
/// calls safe, and none that an airlock rests upon. A name that ends in a dot stands for all that begin so.
const HARMLESS: [&str; 23] = [
    "kernel.shm_rmid_forced",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.hostname",
    "kernel.domainname",
    "fs.mqueue.",
    "net.core.somaxconn",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
];

/// By which the host's root tells the kernel what to do, and what engines close of it by default.
const READ_ONLY: [&str; 4] = ["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"];
/// The kernel's memory.
const MASKED: &str = "/proc/kcore";

pub(super) fn refused(configuration: &Configuration, nested: Option<&Nested>) -> Vec<Refusal> {
    let linux = &configuration.written.linux;
    let set = linux.sysctl.iter().flat_map(|all| all.keys()).filter(|name| !is_harmless(name));
    let mut found: Vec<Refusal> = set.cloned().map(Refusal::Sysctl).collect();
    found.extend(linux.net_devices.iter().flat_map(|all| all.keys()).cloned().map(Refusal::NetDevice));
    found.extend(linux.cgroups_path.iter().filter(|path| leads_out(path)).cloned().map(Refusal::Group));
    if namespaces::root_is_hosts(configuration, nested) {
        found.extend(open(configuration).into_iter().map(Refusal::KernelFile));
    }
    found
}

/// runc takes slashes for dots.
fn is_harmless(name: &str) -> bool {
    HARMLESS.iter().any(|known| *known == name || known.ends_with('.') && name.starts_with(known))
}

/// Whether it is the first group of all, or means another than it says. systemd's names have colons: `slice:prefix:name`.
fn leads_out(path: &str) -> bool {
    let mut parts = path.split(['/', ':']).filter(|part| !part.is_empty() && *part != ".").peekable();
    !path.is_empty() && (parts.peek().is_none() || parts.any(|part| part == ".."))
}

/// Files of the kernel's that the host's root could write, or read its memory by.
fn open(configuration: &Configuration) -> Vec<String> {
    let linux = &configuration.written.linux;
    let is_in = |list: &Option<Vec<String>>, path: &str| {
        list.iter().flatten().any(|closed| closed.trim_end_matches('/') == path)
    };
    let (masked, read_only) = (&linux.masked_paths, &linux.readonly_paths);
    let writable = READ_ONLY.into_iter().filter(|path| !is_in(masked, path) && !is_in(read_only, path));
    let readable = [MASKED].into_iter().filter(|path| !is_in(masked, path));
    let mounts = configuration.written.mounts.iter().flatten();
    let mounted = mounts.filter(|mount| is_open(configuration, mount));
    let mounted = mounted.map(|mount| mount.destination.display().to_string());
    writable.chain(readable).map(str::to_owned).chain(mounted).collect()
}

/// Another proc than the one that is closed in part, that one once more, a sysfs that can be written, or control groups above the container's own.
fn is_open(configuration: &Configuration, mount: &Mounted) -> bool {
    let writable = !mounts::has(mount, &["ro", "rro"]) || mounts::has(mount, &["rw", "rrw"]);
    if mounts::has_root_within(configuration, mount) {
        return true;
    }
    let own_groups = configuration.namespace("cgroup").is_some_and(|namespace| namespace.joined().is_none());
    match mount.kind.as_deref() {
        Some("proc") => mount.destination.components().ne(std::path::Path::new("/proc").components()),
        Some("sysfs") => writable,
        Some("cgroup" | "cgroup2") => writable && !own_groups,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::refusals::tests::{good, refused};
    use super::super::{Exception, Refusal};

    #[test]
    fn a_setting_of_the_kernels_is_refused_but_for_those_that_reach_nothing() {
        let mut with = good();
        with["linux"]["sysctl"] = json!({"net.ipv4.ping_group_range": "0 0", "net.ipv4.ip_unprivileged_port_start": "0", "fs.mqueue.msg_max": "9"});
        assert_eq!(refused(&with, &[]), []);
        for name in
            ["net.ipv4.ip_forward", "net/ipv4/ip_forward", "kernel.core_pattern", "net.ipv4.conf.all.route_localnet"]
        {
            with["linux"]["sysctl"] = json!({name: "1"});
            assert_eq!(refused(&with, &[]), [Refusal::Sysctl(name.into())]);
            assert_eq!(refused(&with, &[Exception::Sysctl]), []);
        }
    }

    #[test]
    fn a_device_of_the_hosts_network_is_never_moved_in() {
        let mut with = good();
        with["linux"]["netDevices"] = json!({"eth7": {}});
        assert_eq!(refused(&with, &[]), [Refusal::NetDevice("eth7".into())]);
        with["linux"]["netDevices"] = json!({});
        assert_eq!(refused(&with, &[]), []);
    }

    #[test]
    fn a_control_group_above_those_of_containers_is_refused() {
        for path in ["/", "//", ".", "/a/../../b", "..", "system.slice:..:x"] {
            let mut with = good();
            with["linux"]["cgroupsPath"] = json!(path);
            assert_eq!(refused(&with, &[]), [Refusal::Group(path.into())]);
        }
        for path in ["", "/docker/0123", "system.slice:docker:0123", "/kubepods/pod..1/x"] {
            let mut with = good();
            with["linux"]["cgroupsPath"] = json!(path);
            assert_eq!(refused(&with, &[]), [], "{path}");
        }
    }

    /// What is open then, and how it came so.
    type Spoilt = (&'static str, fn(&mut Value));

    /// As engines start a container of the host's root.
    fn hosts() -> Value {
        let mut hosts = good();
        hosts["linux"]["namespaces"].as_array_mut().unwrap().pop();
        hosts["linux"]["maskedPaths"] = json!(["/proc/kcore", "/proc/keys"]);
        hosts["linux"]["readonlyPaths"] = json!(["/proc/bus", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]);
        hosts["mounts"] = json!([
            {"destination": "/proc", "type": "proc"},
            {"destination": "/sys", "type": "sysfs", "options": ["nosuid", "ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "options": ["ro"]},
        ]);
        hosts
    }

    #[test]
    fn what_the_hosts_root_tells_the_kernel_by_is_closed_to_it_inside() {
        let user = [Exception::HostUser];
        assert_eq!(refused(&hosts(), &user), []);
        let spoilt: [Spoilt; 7] = [
            ("/proc/kcore", |all| all["linux"]["maskedPaths"] = json!([])),
            ("/proc/sys", |all| all["linux"]["readonlyPaths"][2] = json!("/proc/sys/net")),
            ("/proc/bus", |all| all["linux"]["readonlyPaths"][0] = json!("")),
            ("/mnt", |all| all["mounts"][0]["destination"] = json!("/mnt")),
            ("/sys", |all| all["mounts"][1]["options"] = json!(["ro", "rw"])),
            ("/sys/fs/cgroup", |all| all["mounts"][2]["options"] = json!([])),
            ("/sys/fs/cgroup", |all| all["mounts"][2] = json!({"destination": "/sys/fs/cgroup", "type": "cgroup2"})),
        ];
        for (path, spoil) in spoilt {
            let mut open = hosts();
            spoil(&mut open);
            assert_eq!(refused(&open, &user), [Refusal::KernelFile(path.into())]);
            assert_eq!(refused(&open, &[Exception::HostUser, Exception::KernelFiles]), []);
        }
        // The caller's by its path is the host's all the same.
        let mut joined = hosts();
        let path = json!({"type": "user", "path": "/proc/self/ns/user"});
        joined["linux"]["namespaces"].as_array_mut().unwrap().push(path);
        assert_eq!(refused(&joined, &user), []);
        joined["linux"]["maskedPaths"] = json!([]);
        assert_eq!(refused(&joined, &user), [Refusal::KernelFile("/proc/kcore".into())]);
        let mut own_groups = hosts();
        own_groups["mounts"][2]["options"] = json!([]);
        own_groups["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "cgroup"}));
        assert_eq!(refused(&own_groups, &user), []);
    }
}
