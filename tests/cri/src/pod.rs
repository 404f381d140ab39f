//! What does a kubelet do with a pod? It runs one, containers in it and programs in these, and removes them all.

use std::collections::HashMap;

use tonic::Status;

use crate::message::{
    CONTAINER, Capabilities, Container, ContainerLinux, ContainerMetadata, ContainerSecurity, CreateContainer, Cri,
    Done, ExecSync, Executed, Id, Image, Mount, Namespaces, Number, POD, PodLinux, PodMetadata, PodSandbox,
    PodSecurity, RunPodSandbox, Seen, SeenStatus,
};

/// The one image there is: busybox, which sleeps unless it is told otherwise.
pub const IMAGE: &str = "lab.example/busybox:t";

/// The same of an ordinary user's.
pub const USERS_IMAGE: &str = "lab.example/busybox:user";

/// What a kubelet has hidden and closed of /proc and /sys, unless a pod asks for it.
const MASKED: [&str; 11] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];
const READONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// What a pod is to be.
#[derive(Clone)]
pub struct Wanted {
    /// Which of the node's runtimes it wants.
    pub handler: String,
    /// What is asked for it.
    pub sandbox: PodSandbox,
}

/// What a container of a pod is to be, beside its script.
#[derive(Clone, Default)]
pub struct Powers<'a> {
    /// Beside the usual ones, without `CAP_`.
    pub capabilities: Vec<&'a str>,
    /// The node's files that it can only read, and where they are inside.
    pub mounts: Vec<(&'a str, &'a str)>,
    /// The same of those that it can write.
    pub writable: Vec<(&'a str, &'a str)>,
    /// Whether it may do whatever the node's root may.
    pub privileged: bool,
    /// Whose, if not root's.
    pub user: Option<i64>,
    /// Another image.
    pub image: Option<&'a str>,
    /// Another than to sleep.
    pub command: Option<Vec<&'a str>>,
    /// Whether it has a standard input, which is attached once.
    pub stdin: bool,
    /// Whether it sees all of proc, as with `procMount: Unmasked`.
    pub unmasked: bool,
}

/// A pod that runs.
pub struct Pod<'a> {
    cri: &'a Cri,
    /// What the runtime calls it.
    pub id: String,
    wanted: Wanted,
}

impl Wanted {
    /// A pod with this runtime handler, below a control group.
    pub fn new(group: &str, handler: &str, name: &str) -> Wanted {
        let metadata = PodMetadata { name: name.into(), uid: name.into(), namespace: "default".into() };
        let own = Namespaces { network: POD, pid: CONTAINER, ipc: POD };
        let security = PodSecurity { namespaces: Some(own), privileged: false };
        let linux = PodLinux { cgroup_parent: format!("/{group}"), security: Some(security) };
        let sandbox = PodSandbox {
            metadata: Some(metadata),
            hostname: name.into(),
            log_directory: String::new(),
            annotations: HashMap::new(),
            linux: Some(linux),
        };
        Wanted { handler: handler.into(), sandbox }
    }

    /// With an annotation.
    pub fn annotated(mut self, name: &str, value: &str) -> Wanted {
        self.sandbox.annotations.insert(name.into(), value.into());
        self
    }

    /// How it is confined as a whole.
    pub fn security(&mut self) -> &mut PodSecurity {
        self.sandbox.linux.as_mut().unwrap().security.as_mut().unwrap()
    }

    /// Whose namespaces it has.
    pub fn namespaces(&mut self) -> &mut Namespaces {
        self.security().namespaces.as_mut().unwrap()
    }

    /// Runs it.
    pub fn run<'a>(&self, cri: &'a Cri) -> Result<Pod<'a>, Status> {
        let config = Some(self.sandbox.clone());
        let made: Id = cri.ask("RunPodSandbox", RunPodSandbox { config, runtime_handler: self.handler.clone() })?;
        Ok(Pod { cri, id: made.id, wanted: self.clone() })
    }
}

impl Pod<'_> {
    /// Starts a container that sleeps, and sees the host's programs.
    pub fn container(&self, name: &str, powers: &Powers<'_>) -> Result<String, Status> {
        let mut config = self.configuration(name);
        let security = config.linux.as_mut().unwrap().security.as_mut().unwrap();
        let add = powers.capabilities.iter().map(|name| (*name).to_owned()).collect();
        if powers.unmasked {
            (security.masked, security.readonly) = (Vec::new(), Vec::new());
        }
        security.capabilities = Some(Capabilities { add });
        security.privileged = powers.privileged;
        config.image = powers.image.map(|name| Image { name: name.into() }).or(config.image);
        security.user = powers.user.map(|value| Number { value });
        let programs = [("/usr", "/usr"), ("/usr/lib", "/lib"), ("/usr/lib64", "/lib64"), ("/run/lab", "/etc/lab")];
        config.mounts =
            shown(&programs, true).chain(shown(&powers.mounts, true)).chain(shown(&powers.writable, false)).collect();
        let command = powers.command.clone().unwrap_or_else(|| vec!["sleep", "1000000"]);
        config.command = command.into_iter().map(str::to_owned).collect();
        (config.stdin, config.stdin_once) = (powers.stdin, powers.stdin);
        self.start(config)
    }

    /// What a kubelet says of a container of which its pod says nothing.
    pub fn configuration(&self, name: &str) -> Container {
        let namespaces = self.wanted.sandbox.linux.as_ref().unwrap().security.as_ref().unwrap().namespaces;
        let security = ContainerSecurity {
            namespaces,
            masked: MASKED.map(str::to_owned).to_vec(),
            readonly: READONLY.map(str::to_owned).to_vec(),
            ..ContainerSecurity::default()
        };
        Container {
            metadata: Some(ContainerMetadata { name: name.into() }),
            image: Some(Image { name: IMAGE.into() }),
            linux: Some(ContainerLinux { security: Some(security) }),
            ..Container::default()
        }
    }

    /// Makes and starts a container.
    pub fn start(&self, config: Container) -> Result<String, Status> {
        let sandbox = Some(self.wanted.sandbox.clone());
        let made: Id =
            self.cri.ask("CreateContainer", CreateContainer { pod: self.id.clone(), config: Some(config), sandbox })?;
        let _: Done = self.cri.ask("StartContainer", made.clone())?;
        Ok(made.id)
    }

    /// What the runtime says of a container now.
    pub fn seen(&self, container: &str) -> SeenStatus {
        self.cri.ask::<Id, Seen>("ContainerStatus", Id { id: container.into() }).unwrap().status.unwrap()
    }

    /// What the runtime says of the pod now.
    pub fn state(&self) -> i32 {
        self.cri.ask::<Id, Seen>("PodSandboxStatus", Id { id: self.id.clone() }).unwrap().status.unwrap().state
    }

    /// Executes a script of bash's in a container, for at most half a minute.
    pub fn shell(&self, container: &str, script: &str) -> String {
        let words = ["/usr/bin/env", "PATH=/bin:/usr/bin:/usr/sbin", "/usr/bin/bash", "-c", script];
        self.execute(container, &words.map(str::to_owned))
    }

    /// The same of any command; what it writes.
    pub fn execute(&self, container: &str, command: &[String]) -> String {
        let asked = ExecSync { container: container.into(), command: command.to_vec(), timeout: 30 };
        let executed: Executed = self.cri.ask("ExecSync", asked).unwrap();
        assert_eq!(executed.code, 0, "{}", String::from_utf8_lossy(&executed.err));
        String::from_utf8(executed.out).unwrap()
    }

    /// Stops and removes it with all that is in it.
    pub fn remove(self) {
        let id = Id { id: self.id.clone() };
        let _: Done = self.cri.ask("StopPodSandbox", id.clone()).unwrap();
        let _: Done = self.cri.ask("RemovePodSandbox", id).unwrap();
    }
}

/// The node's files, and where they are inside.
pub fn shown(paths: &[(&str, &str)], readonly: bool) -> impl Iterator<Item = Mount> {
    paths.iter().map(move |(outside, inside)| Mount { inside: (*inside).into(), outside: (*outside).into(), readonly })
}
