//! What is around a container that an engine starts? Settings for bottle's hooks, and logs where the hooks keep them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bottle_escape::judge::{Outcome, Verdict};

use super::Range;

/// What the hooks are told, in the range's directory.
pub(super) const SETTINGS: &str = "hooks.json";
const POLICY: &str = "escape.yaml";

/// What a container of an engine's has not, by class, and why.
pub const LEFT_OUT: (&str, &str) = (
    "shared",
    "the engine mounts what it shares, and who mounts it guards it: bottle's covers over repositories, sockets and set-id bits are in \
     mounts of its own",
);

/// Of each class but that one, what stands for it where all would take too long: calls, packets, names, requests and files.
pub const PART: &[&str] = &[
    "connect-to-an-unlisted-name",
    "connect-to-an-address",
    "connect-then-another-server-name",
    "containerd-socket",
    "containerd-shim-socket",
    "dns-type-txt",
    "state-directory",
    "signing-key",
    "netlink-audit",
    "clone3",
    "hello-two-records",
    "split-everywhere",
    "abstract-socket",
    "process-environment",
    "http-another-host",
    "http-pipelined-another-host",
    "posix-message-queue",
    "shared-memory",
    "new-namespaces",
    "nft-flush",
    "arp-request",
    "foreign-mac",
    "literal-private-10",
    "file-handle",
    "changed-root",
    "foreign-resolver",
    "label-exfiltration",
    "neighbour-tcp",
    "neighbour-udp",
    "address-added",
    "route-added",
    "foreign-memory",
    "foreign-network",
    "stolen-descriptors",
    "proxy-host-loopback",
    "rebind-to-private",
    "rebind-to-metadata",
    "tcp-lowest-port",
    "udp-from-port-53",
    "core-pattern",
    "release-agent",
    "another-name",
    "tcp6-literal",
    "udp-raw",
    "free-bind-tcp",
    "source-spoofing",
    "control-ttl",
];

/// The script that has this engine start a container.
pub(super) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("engines").join(name)
}

/// Lets a container write whose ids outside nobody has. What else lies in the range is its owner's.
pub(super) fn open_what_is_shared(directory: &Path) {
    for name in ["project", "neighbour"] {
        fs::set_permissions(directory.join(name), fs::Permissions::from_mode(0o777)).unwrap();
    }
}

/// Names what is left out, whatever became of it.
pub(super) fn leave_out(verdicts: &mut [Verdict]) {
    let (class, why) = LEFT_OUT;
    for verdict in verdicts.iter_mut().filter(|verdict| verdict.class == class) {
        (verdict.outcome, verdict.detail) = (Outcome::NotApplicable, why.to_owned());
    }
}

impl Range {
    /// The administrator's: each container is a bottle, which may reach what every bottle of the range may.
    pub(super) fn settings_of_hooks(&self) {
        let rule = |(pattern, port, protocol)| {
            format!("  - pattern: {pattern:?}\n    ports: [{port}]\n    protocol: {protocol}\n")
        };
        let rules: String = self.allowed().map(rule).concat();
        let policies = self.path("policies");
        fs::create_dir(&policies).unwrap();
        fs::write(policies.join(POLICY), format!("version: 1\ndomains:\n{rules}")).unwrap();
        let settings = serde_json::json!({"unannotated": "bottled", "policy": POLICY, "policies": policies});
        fs::write(self.path(SETTINGS), settings.to_string()).unwrap();
    }

    /// The container's own log has a name that nobody knows before; the neighbour's is written at the same time by the same program.
    pub(super) fn aim_at_the_neighbours_log(&mut self) {
        let [log] = <[PathBuf; 1]>::try_from(self.logs()).expect("the neighbour's log alone");
        self.field.host.evidence.as_mut().unwrap().log = log;
    }

    /// The one that is not the neighbour's.
    pub(super) fn log_of_the_container(&self) -> PathBuf {
        let neighbours = &self.field.host.evidence.as_ref().unwrap().log;
        let logs: Vec<PathBuf> = self.logs().into_iter().filter(|log| log != neighbours).collect();
        let [log] = <[PathBuf; 1]>::try_from(logs).expect("one log of the container's");
        log
    }

    fn logs(&self) -> Vec<PathBuf> {
        let runs = fs::read_dir(self.path("state/data/runs")).unwrap().flatten();
        runs.map(|run| run.path().join("audit.jsonl")).collect()
    }
}
