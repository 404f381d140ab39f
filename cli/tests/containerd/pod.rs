//! What does a test do with a pod? It runs one, containers in it and programs in these, and removes them all.

use std::collections::HashMap;

use tonic::Status;

use crate::cri::{
    CONTAINER, Capabilities, Container, ContainerLinux, ContainerMetadata, ContainerSecurity, CreateContainer, Cri,
    Done, ExecSync, Executed, Id, Image, Mount, Namespaces, POD, PodLinux, PodMetadata, PodSandbox, PodSecurity,
    RunPodSandbox,
};
use crate::node::{IMAGE, Node};

/// What a pod is to be.
#[derive(Clone)]
pub struct Wanted {
    pub handler: &'static str,
    pub sandbox: PodSandbox,
}

/// What a container of a pod is to be, beside its script.
#[derive(Clone, Default)]
pub struct Powers<'a> {
    pub capabilities: Vec<&'a str>,
    /// The node's files, and where they are inside: those that it can only read, and the others.
    pub mounts: Vec<(&'a str, &'a str)>,
    pub writable: Vec<(&'a str, &'a str)>,
}

/// A pod that runs.
pub struct Pod<'a> {
    cri: &'a Cri,
    pub id: String,
    wanted: Wanted,
}

impl Wanted {
    /// A pod with this runtime handler.
    pub fn new(node: &Node, handler: &'static str, name: &str) -> Wanted {
        let metadata = PodMetadata { name: name.into(), uid: name.into(), namespace: "default".into() };
        let own = Namespaces { network: POD, pid: CONTAINER, ipc: POD };
        let security = PodSecurity { namespaces: Some(own) };
        let linux = PodLinux { cgroup_parent: format!("/{}", node.machine.group()), security: Some(security) };
        let sandbox = PodSandbox {
            metadata: Some(metadata),
            hostname: name.into(),
            log_directory: String::new(),
            annotations: HashMap::new(),
            linux: Some(linux),
        };
        Wanted { handler, sandbox }
    }

    pub fn annotated(mut self, name: &str, value: &str) -> Wanted {
        self.sandbox.annotations.insert(name.into(), value.into());
        self
    }

    /// Whose namespaces it has.
    pub fn namespaces(&mut self) -> &mut Namespaces {
        let security = self.sandbox.linux.as_mut().unwrap().security.as_mut();
        security.unwrap().namespaces.as_mut().unwrap()
    }

    /// Runs it.
    pub fn run<'a>(&self, node: &'a Node) -> Result<Pod<'a>, Status> {
        let config = Some(self.sandbox.clone());
        let made: Id = node.cri.ask("RunPodSandbox", RunPodSandbox { config, runtime_handler: self.handler.into() })?;
        Ok(Pod { cri: &node.cri, id: made.id, wanted: self.clone() })
    }
}

impl Pod<'_> {
    /// Starts a container that sleeps, and sees the host's programs.
    pub fn container(&self, name: &str, powers: &Powers<'_>) -> Result<String, Status> {
        let namespaces = self.wanted.sandbox.linux.as_ref().unwrap().security.as_ref().unwrap().namespaces;
        let add = powers.capabilities.iter().map(|name| (*name).to_owned()).collect();
        let security = ContainerSecurity { capabilities: Some(Capabilities { add }), namespaces };
        let programs = [("/usr", "/usr"), ("/usr/lib", "/lib"), ("/usr/lib64", "/lib64"), ("/run/lab", "/etc/lab")];
        let config = Container {
            metadata: Some(ContainerMetadata { name: name.into() }),
            image: Some(Image { name: IMAGE.into() }),
            command: ["sleep", "1000000"].map(str::to_owned).to_vec(),
            mounts: shown(&programs, true)
                .chain(shown(&powers.mounts, true))
                .chain(shown(&powers.writable, false))
                .collect(),
            annotations: HashMap::new(),
            linux: Some(ContainerLinux { security: Some(security) }),
        };
        let sandbox = Some(self.wanted.sandbox.clone());
        let made: Id =
            self.cri.ask("CreateContainer", CreateContainer { pod: self.id.clone(), config: Some(config), sandbox })?;
        let _: Done = self.cri.ask("StartContainer", made.clone())?;
        Ok(made.id)
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

fn shown(paths: &[(&str, &str)], readonly: bool) -> impl Iterator<Item = Mount> {
    paths.iter().map(move |(outside, inside)| Mount { inside: (*inside).into(), outside: (*outside).into(), readonly })
}
