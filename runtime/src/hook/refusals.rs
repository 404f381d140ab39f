//! What of a container's configuration would make an airlock around it of no use?
//!
//! Each is refused unless the settings let it pass. A network of another's, a process id namespace of another's and mounts of
//! another's never pass: nothing could be measured then, and nothing be ended.

use std::path::{Path, PathBuf};

use super::{
    Configuration, Exception, Inherited, Joined, Settings, annotations, capabilities, devices, host, mounts,
    namespaces, nodes, order, seccomp, sockets,
};
use crate::nested::Nested;

/// Why a container gets no airlock, and so does not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It would be where the host's processes are, or another container's.
    #[error("the container has no {0} namespace of its own")]
    Shared(&'static str),
    /// It could use up what the kernel counts by uid for them.
    #[error("the container's user namespace has ids that bottle's own processes have")]
    BottlesIds,
    /// It would have this capability.
    #[error("the container has CAP_{0}")]
    Capability(String),
    /// It could make the node of any device, and open it.
    #[error("the container has CAP_MKNOD, and nothing shows that devices are denied to it by a control group")]
    Nodes,
    /// Nothing says which it would have.
    #[error("the container's configuration does not say which capabilities it has")]
    NoCapabilities,
    /// It could open this device of the host's, by type and numbers.
    #[error("the container may open the device {0}")]
    Device(String),
    /// It would have programs started that are behind no airlock.
    #[error("the container sees {}, or where it will be: a socket by which programs are started", .0.display())]
    EngineSocket(PathBuf),
    /// It would talk to a program that is behind no airlock.
    #[error("the container sees {}, a socket of the host's", .0.display())]
    Socket(PathBuf),
    /// It would share memory with the host's programs.
    #[error("the container sees {}, the shared memory of the host's programs", .0.display())]
    SharedMemory(PathBuf),
    /// It is mounted in a way that shows more than it looks.
    #[error("the mount {} {}", .0.display(), .1)]
    Mount(PathBuf, String),
    /// One of two is what the engine's runtime takes, and nobody can tell which.
    #[error("the container's configuration lists the {0} namespace twice")]
    Twice(String),
    /// A runtime would do what the configuration does not say.
    #[error("the annotation {0} has an engine's runtime do something else than the container's configuration says")]
    Annotation(String),
    /// It would be set after the attestation, or on the host.
    #[error("the container's configuration sets {0} of the kernel's")]
    Sysctl(String),
    /// It would be another network.
    #[error("the network device {0} of the host's is to be moved into the container")]
    NetDevice(String),
    /// Its limits, and what devices it may open, would be others'.
    #[error("the control group {0:?} is not one below those of containers")]
    Group(String),
    /// The host's root would write it, or read the kernel's memory by it.
    #[error("{0} of the host's kernel is open to the container, whose root is the host's")]
    KernelFile(String),
    /// It would be told by another program which calls may pass, and handed what that one has open.
    #[error("a program that listens decides about the container's system calls (SCMP_ACT_NOTIFY)")]
    SeccompListener,
    /// It would reach who listens there, past the airlock.
    #[error(
        "the container's seccomp filter, if there is one, lets sockets of AF_VSOCK be opened, which belong to no network namespace"
    )]
    Vsock,
    /// Others act after us.
    #[error("{} runs after bottle's hook, and could change what was attested", .0.display())]
    LaterHook(PathBuf),
    /// Nothing tells who acts after us.
    #[error("the container's configuration does not name bottle's hook, so nobody can tell which hooks run after it")]
    NoHook,
    /// There is nothing to execute.
    #[error("the container's configuration says no command")]
    NoCommand,
    /// It was handed something of the host's, open: what it is, and which.
    #[error("the container's descriptor {0} is {1}: {path}", path = .2.display())]
    Inherited(u32, Inherited, PathBuf),
}

impl Refusal {
    /// The exception that lets it pass, if one does.
    pub fn exception(&self) -> Option<Exception> {
        match self {
            Refusal::Shared("user") | Refusal::BottlesIds => Some(Exception::HostUser),
            Refusal::Shared("ipc") | Refusal::SharedMemory(_) => Some(Exception::HostIpc),
            Refusal::Capability(name) => Some(capabilities::exception(name)),
            Refusal::Nodes => Some(Exception::OtherCapabilities),
            Refusal::Device(_) => Some(Exception::Devices),
            Refusal::EngineSocket(_) => Some(Exception::EngineSocket),
            Refusal::Socket(_) => Some(Exception::HostSocket),
            Refusal::Mount(..) => Some(Exception::OtherMounts),
            Refusal::Annotation(_) => Some(Exception::RuntimeAnnotations),
            Refusal::Sysctl(_) => Some(Exception::Sysctl),
            Refusal::KernelFile(_) => Some(Exception::KernelFiles),
            Refusal::SeccompListener => Some(Exception::SeccompListener),
            Refusal::Vsock => Some(Exception::Vsock),
            Refusal::LaterHook(_) => Some(Exception::LaterHooks),
            Refusal::Inherited(_, Inherited::Device, _) => Some(Exception::HostTerminal),
            Refusal::Inherited(..)
            | Refusal::Shared(_)
            | Refusal::Twice(_)
            | Refusal::NetDevice(_)
            | Refusal::Group(_)
            | Refusal::NoCapabilities
            | Refusal::NoHook
            | Refusal::NoCommand => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        let pass = self.exception().map(|exception| {
            format!("to let it pass, add {:?} to `allow` in the settings of the hooks", exception.name())
        });
        let other = match self {
            Refusal::Shared("network") => Some("start it with a network namespace of its own: --network none"),
            Refusal::Shared("user") => {
                Some("give it a user namespace, in which root is nobody of the host's (podman: --userns auto)")
            }
            Refusal::Shared(_) => Some("start it without joining the host's or another container's"),
            Refusal::BottlesIds => Some("map ids below 1879048192 (0x70000000)"),
            Refusal::Twice(_) => Some("list each once"),
            Refusal::Inherited(..) => {
                Some("give it pipes as standard streams, or a terminal of its own (podman: --tty)")
            }
            Refusal::KernelFile(_) => {
                Some("leave what the engine masks and shows read-only by default, or give it a user namespace")
            }
            Refusal::Vsock => Some(
                "have the engine use a filter that denies them, which `bottle hook seccomp` makes of the engine's own, or bottle-oci, which sees to it",
            ),
            Refusal::NetDevice(_) => Some("what it wants there a policy can name"),
            Refusal::Nodes => Some(
                "take CAP_MKNOD from it, or have the engine deny devices (linux.resources.devices) in a control group that it makes",
            ),
            Refusal::Group(_) => Some("leave its control group to the engine"),
            Refusal::NoCapabilities => Some("list its capabilities, be it none"),
            Refusal::NoHook => Some("have the engine call `bottle hook create` in createRuntime (bottle hook install)"),
            Refusal::NoCommand => Some("name what it is to execute"),
            _ => None,
        };
        other.map(str::to_owned).into_iter().chain(pass).collect::<Vec<_>>().join("; ")
    }
}

/// All that is refused, but for what the settings let pass; and what they did let pass. `program` is bottle's own, by which its
/// hook is told from others; `nested` the user namespace that the engine has made for itself, if it has. Of a bottle that the
/// container joins it may share the namespaces.
pub fn refusals(
    configuration: &Configuration,
    settings: &Settings,
    nested: Option<&Nested>,
    joined: Option<&Joined>,
    program: &Path,
) -> (Vec<Refusal>, Vec<Exception>) {
    let mut found = namespaces::refused(configuration, nested, joined);
    found.extend(capabilities::refused(configuration));
    found.extend(devices::refused(configuration));
    found.extend(nodes::refused(configuration, nested));
    found.extend(mounts::refused(configuration, nested));
    found.extend(sockets::refused(configuration));
    found.extend(host::refused(configuration, nested));
    found.extend(seccomp::refused(configuration));
    found.extend(annotations::refused(configuration));
    found.extend(order::refused(configuration, program));
    if configuration.written.process.args.as_ref().is_none_or(Vec::is_empty) {
        found.push(Refusal::NoCommand);
    }
    judged(found, settings)
}

/// What of these is refused, and by which exceptions the rest is let pass.
pub(super) fn judged(found: Vec<Refusal>, settings: &Settings) -> (Vec<Refusal>, Vec<Exception>) {
    let (passed, refused): (Vec<Refusal>, Vec<Refusal>) =
        found.into_iter().partition(|it| it.exception().is_some_and(|exception| settings.lets_pass(exception)));
    let mut passed: Vec<Exception> = passed.iter().filter_map(Refusal::exception).collect();
    passed.sort_unstable();
    passed.dedup();
    (refused, passed)
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;

    pub(in super::super) const PROGRAM: &str = "/proc/self/exe";

    pub(in super::super) fn good() -> Value {
        let namespaces = ["pid", "ipc", "mount", "network", "user"].map(|kind| json!({"type": kind}));
        json!({
            "process": {"args": ["sh"], "capabilities": {"bounding": ["CAP_NET_RAW", "CAP_CHOWN"]}},
            "root": {"path": "rootfs"},
            "hooks": {"createRuntime": [{"path": PROGRAM, "args": ["bottle", "hook", "create"]}]},
            "linux": {"namespaces": namespaces, "seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
                {"names": ["io_uring_setup", "socketcall"], "action": "SCMP_ACT_ERRNO"},
                {"names": ["socket"], "action": "SCMP_ACT_ERRNO",
                    "args": [{"index": 0, "op": "SCMP_CMP_MASKED_EQ", "value": u32::MAX, "valueTwo": 40}]},
            ]}},
        })
    }

    pub(in super::super) fn read(configuration: &Value) -> Configuration {
        Configuration::parse(Path::new("/nowhere"), &serde_json::to_vec(configuration).unwrap()).unwrap()
    }

    pub(in super::super) fn refused(configuration: &Value, allow: &[Exception]) -> Vec<Refusal> {
        refused_within(None, configuration, allow)
    }

    pub(in super::super) fn refused_within(
        nested: Option<&Nested>,
        configuration: &Value,
        allow: &[Exception],
    ) -> Vec<Refusal> {
        let settings = Settings { allow: allow.iter().copied().collect(), ..Settings::default() };
        let (refused, passed) = refusals(&read(configuration), &settings, nested, None, Path::new(PROGRAM));
        assert!(passed.iter().all(|exception| allow.contains(exception)));
        assert!(refused.iter().all(|refusal| !refusal.hint().is_empty()), "{refused:?}");
        refused
    }

    #[test]
    fn a_container_of_its_own_with_our_hook_last_is_not_refused() {
        assert_eq!(refused(&good(), &[]), []);
    }

    #[test]
    fn a_container_without_a_command_is_refused() {
        let mut idle = good();
        idle["process"]["args"] = json!([]);
        assert_eq!(refused(&idle, &[]), [Refusal::NoCommand]);
    }

    /// What Docker is known to write for `--network none`, with our hook; no Docker was run for it.
    fn dockers() -> Value {
        let mount = |place: &str, kind: &str, options: &str| json!({"destination": place, "type": kind, "source": kind, "options": options.split(' ').collect::<Vec<_>>()});
        let usual = [
            "CHOWN",
            "DAC_OVERRIDE",
            "FSETID",
            "FOWNER",
            "MKNOD",
            "NET_RAW",
            "SETGID",
            "SETUID",
            "SETFCAP",
            "SETPCAP",
            "NET_BIND_SERVICE",
            "SYS_CHROOT",
            "KILL",
            "AUDIT_WRITE",
        ];
        let usual = usual.map(|name| format!("CAP_{name}"));
        let namespaces = ["mount", "network", "uts", "pid", "ipc", "cgroup"].map(|kind| json!({"type": kind}));
        let mut whole = good();
        whole["process"]["capabilities"] = json!({"bounding": usual, "effective": usual, "permitted": usual});
        whole["process"]["oomScoreAdj"] = json!(0);
        whole["mounts"] = json!([
            mount("/proc", "proc", "nosuid noexec nodev"),
            mount("/dev", "tmpfs", "nosuid strictatime mode=755 size=65536k"),
            mount("/dev/pts", "devpts", "nosuid noexec newinstance ptmxmode=0666 mode=0620 gid=5"),
            mount("/sys", "sysfs", "nosuid noexec nodev ro"),
            mount("/sys/fs/cgroup", "cgroup", "ro nosuid noexec nodev"),
            mount("/dev/mqueue", "mqueue", "nosuid noexec nodev"),
            mount("/dev/shm", "tmpfs", "nosuid noexec nodev mode=1777 size=67108864"),
            {"destination": "/etc/hosts", "type": "bind", "source": "/etc/hosts", "options": ["rbind", "rprivate"]},
        ]);
        let device = |major: i64, minor: i64| json!({"allow": true, "type": "c", "major": major, "minor": minor, "access": "rwm"});
        whole["linux"] = json!({
            "sysctl": {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"},
            "resources": {"devices": [{"allow": false, "access": "rwm"}, device(1, 5), device(1, 3), device(1, 9), device(1, 8), device(5, 0), device(5, 1)], "memory": {}, "cpu": {"shares": 0}},
            "cgroupsPath": "system.slice:docker:0123456789ab",
            "namespaces": namespaces,
            "seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]},
            "maskedPaths": ["/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        });
        whole
    }

    #[test]
    fn what_docker_starts_by_default_is_refused_for_its_root_alone() {
        assert_eq!(refused(&dockers(), &[]), [Refusal::Shared("user")]);
        assert_eq!(refused(&dockers(), &[Exception::HostUser]), []);
        let mut remapped = dockers();
        remapped["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
        remapped["linux"]["uidMappings"] = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
        assert_eq!(refused(&remapped, &[]), []);
    }
}
