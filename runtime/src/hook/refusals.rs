//! What of a container's configuration would make an airlock around it of no use?
//!
//! Each is refused unless the settings let it pass. A network of another's, a process id namespace of another's and mounts of
//! another's never pass: nothing could be measured then, and nothing be ended.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::configuration::{Configuration, Hook};
use super::devices::devices;
use super::{Exception, Inherited, Joined, Settings};
use crate::nested::Nested;

/// Why a container gets no airlock, and so does not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It would be where the host's processes are, or another container's.
    #[error("the container has no {0} namespace of its own")]
    Shared(&'static str),
    /// It would have this capability.
    #[error("the container has CAP_{0}")]
    Capability(String),
    /// Nothing says which it would have.
    #[error("the container's configuration does not say which capabilities it has")]
    NoCapabilities,
    /// It could open this device of the host's, by type and numbers.
    #[error("the container may open the device {0}")]
    Device(String),
    /// It would talk to an engine.
    #[error("the container sees {}, a socket by which containers are started", .0.display())]
    EngineSocket(PathBuf),
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
            Refusal::Shared("user") => Some(Exception::HostUser),
            Refusal::Shared("ipc") => Some(Exception::HostIpc),
            Refusal::Capability(name) => {
                let own = CAPABILITIES.iter().find(|(known, _)| known == name).map(|(_, it)| *it);
                Some(own.unwrap_or(Exception::OtherCapabilities))
            }
            Refusal::Device(_) => Some(Exception::Devices),
            Refusal::EngineSocket(_) => Some(Exception::EngineSocket),
            Refusal::LaterHook(_) => Some(Exception::LaterHooks),
            Refusal::Inherited(_, Inherited::Device, _) => Some(Exception::HostTerminal),
            Refusal::Inherited(..)
            | Refusal::Shared(_)
            | Refusal::NoCapabilities
            | Refusal::NoHook
            | Refusal::NoCommand => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let pass = |exception: Exception| {
            format!("to let it pass, add {:?} to `allow` in the settings of the hooks", exception.name())
        };
        match self {
            Refusal::Shared("network") => Some("start it with a network namespace of its own: --network none".into()),
            Refusal::Shared("user") => {
                Some(format!("give it a user namespace (podman: --userns auto); {}", pass(Exception::HostUser)))
            }
            Refusal::Inherited(_, what, _) => {
                let instead = "give it pipes as standard streams, or a terminal of its own (podman: --tty)".to_owned();
                let passed = (*what == Inherited::Device).then(|| format!("; {}", pass(Exception::HostTerminal)));
                Some(instead + &passed.unwrap_or_default())
            }
            refusal => refusal.exception().map(pass),
        }
    }
}

const CAPABILITIES: [(&str, Exception); 4] = [
    ("SYS_ADMIN", Exception::SysAdmin),
    ("NET_ADMIN", Exception::NetAdmin),
    ("SYS_PTRACE", Exception::SysPtrace),
    ("SYS_MODULE", Exception::SysModule),
];

/// What engines give to every container. Any other reaches beyond it, such as DAC_READ_SEARCH, which opens the host's files by handle.
const USUAL: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// In the order in which engines run them.
const STAGES: [&str; 5] = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart"];

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
    let mut found = namespaces(configuration, nested, joined);
    found.extend(capabilities(configuration));
    found.extend(devices(configuration).into_iter().map(Refusal::Device));
    found.extend(engine_sockets(configuration));
    found.extend(later_hooks(configuration, program));
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

/// A namespace that the configuration does not list is the host's; one with a path is somebody's, who has made it before. Such
/// a network namespace may be the container's own all the same: it is measured. In the user namespace of an engine that is an
/// ordinary user's its root is that user, as in one of its own.
fn namespaces(configuration: &Configuration, nested: Option<&Nested>, joined: Option<&Joined>) -> Vec<Refusal> {
    let is_own = |kind: &str| {
        let is_bottles = |path: &Path| kind != "mount" && joined.is_some_and(|joined| joined.shares(kind, path));
        configuration.namespace(kind).is_some_and(|namespace| namespace.joined().is_none_or(is_bottles))
    };
    let needed: &[&'static str] = if nested.is_some() { &["network"] } else { &["network", "user"] };
    let missing = needed.iter().copied().filter(|kind| configuration.namespace(kind).is_none());
    let not_own = ["pid", "ipc", "mount"].into_iter().filter(|kind| !is_own(kind));
    missing.chain(not_own).map(Refusal::Shared).collect()
}

fn capabilities(configuration: &Configuration) -> Vec<Refusal> {
    let Some(sets) = &configuration.written.process.capabilities else { return vec![Refusal::NoCapabilities] };
    let bare = |held: &String| {
        let upper = held.to_uppercase();
        upper.strip_prefix("CAP_").map(str::to_owned).unwrap_or(upper)
    };
    let held: BTreeSet<String> = sets.values().flatten().flatten().map(bare).collect();
    held.into_iter().filter(|name| !USUAL.contains(&name.as_str())).map(Refusal::Capability).collect()
}

/// Where engines listen; `*` is any one directory.
const SOCKETS: [&str; 8] = [
    "/run/docker.sock",
    "/run/podman/podman.sock",
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/buildkit/buildkitd.sock",
    "/run/user/*/podman/podman.sock",
    "/run/user/*/docker.sock",
    "/run/k3s/containerd/containerd.sock",
];

fn engine_sockets(configuration: &Configuration) -> Vec<Refusal> {
    let shown = configuration.shown();
    let shown: Vec<PathBuf> = shown.into_iter().filter_map(|(source, _)| source.canonicalize().ok()).collect();
    let below = existing_sockets().into_iter().filter(|socket| shown.iter().any(|source| socket.starts_with(source)));
    let by_name = shown.iter().filter(|source| is_engines(source)).cloned();
    let mut found: Vec<PathBuf> = below.chain(by_name).collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(Refusal::EngineSocket).collect()
}

fn is_engines(path: &Path) -> bool {
    let names = SOCKETS.iter().filter_map(|socket| Path::new(socket).file_name());
    names.into_iter().any(|name| path.file_name() == Some(name))
}

fn existing_sockets() -> Vec<PathBuf> {
    let users = std::fs::read_dir("/run/user").into_iter().flatten().flatten();
    let users: Vec<String> = users.filter_map(|user| user.file_name().into_string().ok()).collect();
    let spelled = SOCKETS.iter().flat_map(|socket| match socket.contains('*') {
        false => vec![(*socket).to_owned()],
        true => users.iter().map(|user| socket.replace('*', user)).collect(),
    });
    spelled.filter_map(|socket| Path::new(&socket).canonicalize().ok()).collect()
}

fn later_hooks(configuration: &Configuration, program: &Path) -> Vec<Refusal> {
    let hooks = configuration.written.hooks.iter();
    let of = |stage: &str| hooks.clone().filter_map(|all| all.get(stage)).flatten().flatten().collect::<Vec<&Hook>>();
    let in_order: Vec<&Hook> = STAGES.iter().flat_map(|stage| of(stage)).collect();
    match in_order.iter().rposition(|hook| is_ours(hook, program)) {
        None => vec![Refusal::NoHook],
        Some(last) => in_order[last + 1..].iter().map(|hook| Refusal::LaterHook(hook.path.clone())).collect(),
    }
}

fn is_ours(hook: &Hook, program: &Path) -> bool {
    let identity = |path: &Path| std::fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    let words: Vec<&str> = hook.args.iter().flatten().skip(1).map(String::as_str).collect();
    let create = words.starts_with(&["hook", "create"]);
    create && identity(&hook.path).is_some_and(|file| Some(file) == identity(program))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const PROGRAM: &str = "/proc/self/exe";

    fn good() -> Value {
        let namespaces = ["pid", "ipc", "mount", "network", "user"].map(|kind| json!({"type": kind}));
        json!({
            "process": {"args": ["sh"], "capabilities": {"bounding": ["CAP_NET_RAW", "CAP_CHOWN"]}},
            "root": {"path": "rootfs"},
            "hooks": {"createRuntime": [{"path": PROGRAM, "args": ["bottle", "hook", "create"]}]},
            "linux": {"namespaces": namespaces},
        })
    }

    fn refused(configuration: &Value, allow: &[Exception]) -> Vec<Refusal> {
        refused_within(None, configuration, allow)
    }

    fn refused_within(nested: Option<&Nested>, configuration: &Value, allow: &[Exception]) -> Vec<Refusal> {
        let bytes = serde_json::to_vec(configuration).unwrap();
        let configuration = Configuration::parse(Path::new("/nowhere"), &bytes).unwrap();
        let settings = Settings { allow: allow.iter().copied().collect(), ..Settings::default() };
        refusals(&configuration, &settings, nested, None, Path::new(PROGRAM)).0
    }

    #[test]
    fn a_container_of_its_own_with_our_hook_last_is_not_refused() {
        assert_eq!(refused(&good(), &[]), []);
    }

    #[test]
    fn a_namespace_of_the_hosts_or_of_anothers_is_refused() {
        for (at, kind) in ["pid", "ipc", "mount", "network", "user"].into_iter().enumerate() {
            let mut without = good();
            without["linux"]["namespaces"].as_array_mut().unwrap().remove(at);
            assert_eq!(refused(&without, &[]), [Refusal::Shared(kind)]);
        }
        for (at, kind) in ["pid", "ipc", "mount"].into_iter().enumerate() {
            let mut joined = good();
            joined["linux"]["namespaces"][at]["path"] = json!("/proc/1/ns/x");
            assert_eq!(refused(&joined, &[]), [Refusal::Shared(kind)]);
        }
    }

    #[test]
    fn the_user_namespace_of_an_ordinary_users_engine_is_not_the_hosts() {
        let mut without = good();
        without["linux"]["namespaces"] = json!([{"type": "pid"}, {"type": "mount"}, {"type": "network"}]);
        let nested = Nested { user: 1001, ids: 1..65534 };
        assert_eq!(refused_within(Some(&nested), &without, &[]), [Refusal::Shared("ipc")]);
    }

    #[test]
    fn what_the_settings_let_pass_is_named_and_what_nothing_can_let_pass_is_refused_all_the_same() {
        let mut hosts = good();
        hosts["linux"]["namespaces"] = json!([{"type": "mount"}]);
        let all = [Exception::HostUser, Exception::HostIpc, Exception::Observe, Exception::LaterHooks];
        assert_eq!(refused(&hosts, &all), [Refusal::Shared("network"), Refusal::Shared("pid")]);
    }

    #[test]
    fn a_capability_that_reaches_the_airlock_is_refused_in_whatever_set_it_is() {
        for (name, exception) in CAPABILITIES {
            for set in ["bounding", "effective", "permitted", "inheritable", "ambient"] {
                let mut with = good();
                with["process"]["capabilities"][set] = json!([format!("CAP_{name}")]);
                assert_eq!(refused(&with, &[]), [Refusal::Capability(name.into())]);
                assert_eq!(refused(&with, &[exception]), []);
            }
        }
        let mut others = good();
        others["process"]["capabilities"]["bounding"] = json!(["cap_dac_read_search", "CAP_CHOWN", "BPF"]);
        let both = ["BPF", "DAC_READ_SEARCH"].map(|name| Refusal::Capability(name.to_owned()));
        assert_eq!(refused(&others, &[Exception::SysAdmin]), both);
        assert_eq!(refused(&others, &[Exception::OtherCapabilities]), []);
        let mut unsaid = good();
        unsaid["process"].as_object_mut().unwrap().remove("capabilities");
        assert_eq!(refused(&unsaid, &[]), [Refusal::NoCapabilities]);
    }

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
        for (kind, major, minor) in [("b", 8, 0), ("c", 10, 232), ("u", 1, 1)] {
            let mut made = with.clone();
            let device = json!({"path": "/dev/x", "type": kind, "major": major, "minor": minor});
            made["linux"]["devices"].as_array_mut().unwrap().push(device);
            assert_eq!(refused(&made, &[]), [Refusal::Device(format!("{kind} {major}:{minor}"))]);
        }
    }

    #[test]
    fn a_hook_that_runs_after_ours_is_refused_and_one_before_is_not() {
        let other = json!({"path": "/bin/other"});
        let mut hooked = good();
        hooked["hooks"]["prestart"] = json!([other]);
        hooked["hooks"]["createRuntime"].as_array_mut().unwrap().insert(0, other.clone());
        hooked["hooks"]["poststop"] = json!([other]);
        assert_eq!(refused(&hooked, &[]), []);
        for stage in ["createRuntime", "createContainer", "startContainer", "poststart"] {
            let mut later = hooked.clone();
            let hooks = later["hooks"].as_object_mut().unwrap();
            let stage = hooks.entry(stage).or_insert_with(|| json!([]));
            stage.as_array_mut().unwrap().push(other.clone());
            assert_eq!(refused(&later, &[]), [Refusal::LaterHook("/bin/other".into())]);
            assert_eq!(refused(&later, &[Exception::LaterHooks]), []);
        }
        let mut unnamed = good();
        unnamed["hooks"] = Value::Null;
        assert_eq!(refused(&unnamed, &[]), [Refusal::NoHook]);
    }

    #[test]
    fn a_mount_that_is_said_to_be_both_is_taken_for_writable() {
        for (options, writable) in [(&["bind", "ro"][..], false), (&["bind", "ro", "rw"], true), (&["bind"], true)] {
            let mut mounted = good();
            mounted["mounts"] = json!([{"destination": "/s", "source": "/srv", "options": options}]);
            let bytes = serde_json::to_vec(&mounted).unwrap();
            let shown = Configuration::parse(Path::new("/nowhere"), &bytes).unwrap().shown();
            assert_eq!(shown[0], ("/srv".into(), writable), "{options:?}");
        }
    }

    #[test]
    fn an_engines_socket_is_refused_wherever_it_comes_from() {
        let place = tempfile::tempdir().unwrap();
        let socket = place.path().join("docker.sock");
        std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let mut mounted = good();
        mounted["mounts"] = json!([{"destination": "/s", "type": "bind", "source": socket}]);
        let canonical = socket.canonicalize().unwrap();
        assert_eq!(refused(&mounted, &[]), [Refusal::EngineSocket(canonical)]);
        assert_eq!(refused(&mounted, &[Exception::EngineSocket]), []);
    }
}
