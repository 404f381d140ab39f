//! Which annotations make an engine's runtime do something else than its configuration says? crun's replace the seccomp filter, keep the
//! caller's groups or write to files of the host's; runc's reach systemd and CRIU.
//!
//! What an engine reads itself before it writes the configuration (`io.podman.`, `io.kubernetes.cri-o.`) has had its effect there.

use super::{Configuration, Refusal};

/// What runtimes read: crun and those that are built into it, runc, CRIU by both, and runtimes of other kinds that call hooks.
const READ: [&str; 7] =
    ["run.oci.", "krun.", "module.wasm.", "org.criu.", "org.systemd.property.", "dev.gvisor.", "io.katacontainers."];

/// Those that change nothing of its confinement: how SELinux is told of mounts, how the control group below systemd's is called,
/// how long systemd waits and by which signal it ends the container, and what it does with a unit that has ended.
const HARMLESS: [&str; 5] = [
    "run.oci.mount_context_type",
    "run.oci.systemd.subgroup",
    "org.systemd.property.TimeoutStopUSec",
    "org.systemd.property.KillSignal",
    "org.systemd.property.CollectMode",
];

pub(super) fn refused(configuration: &Configuration) -> Vec<Refusal> {
    let names = configuration.annotations().into_iter().flat_map(|all| all.keys());
    let is_read = |name: &&String| READ.iter().any(|prefix| name.starts_with(prefix));
    let read = names.filter(is_read).filter(|name| !HARMLESS.contains(&name.as_str()));
    read.cloned().map(Refusal::Annotation).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::refusals::tests::{good, refused};
    use super::super::{Exception, Refusal};

    #[test]
    fn an_annotation_that_a_runtime_reads_is_refused_unless_it_is_known_to_be_harmless() {
        for name in [
            "run.oci.seccomp_bpf_data",
            "run.oci.seccomp.receiver",
            "run.oci.hooks.stdout",
            "run.oci.never-heard-of",
            "module.wasm.image/variant",
            "org.criu.config",
            "org.systemd.property.DevicePolicy",
        ] {
            let mut with = good();
            with["annotations"] = json!({name: "1"});
            assert_eq!(refused(&with, &[]), [Refusal::Annotation(name.into())]);
            assert_eq!(refused(&with, &[Exception::RuntimeAnnotations]), []);
        }
        let mut with = good();
        with["annotations"] = json!({
            "run.oci.mount_context_type": "rootcontext",
            "org.systemd.property.TimeoutStopUSec": "uint64 10000000",
            "io.container.manager": "libpod",
            "io.kubernetes.cri-o.TTY": "false",
            "io.kubernetes.cri.sandbox-name": "a",
            "org.opencontainers.image.stopSignal": "15",
        });
        assert_eq!(refused(&with, &[]), []);
    }
}
