//! What does a kubelet say to its runtime? The part of CRI version 1 that tests speak; unknown fields are skipped.

#![expect(missing_docs, reason = "fields are CRI's own, whose description has their meaning")]

use std::collections::HashMap;
use std::path::Path;

use prost::Message;
use tokio::runtime::{Builder, Runtime};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

/// A connection to a runtime.
pub struct Cri {
    tokio: Runtime,
    channel: Channel,
}

impl Cri {
    /// Connects to a runtime that listens there.
    pub fn connect(socket: &Path) -> Cri {
        let tokio = Builder::new_current_thread().enable_all().build().unwrap();
        let endpoint = Endpoint::try_from(format!("unix://{}", socket.display())).unwrap();
        let channel = tokio.block_on(endpoint.connect()).unwrap();
        Cri { tokio, channel }
    }

    /// Asks one thing of the runtime service.
    pub fn ask<Q, A>(&self, method: &str, question: Q) -> Result<A, Status>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        self.call(&format!("/runtime.v1.RuntimeService/{method}"), Request::new(question))
    }

    /// Waits until a container has ended, which takes containerd's own interface: in that of a kubelet one can only ask again.
    pub fn wait(&self, container: &str) {
        let mut request = Request::new(Id { id: container.into() });
        request.metadata_mut().insert("containerd-namespace", MetadataValue::from_static("k8s.io"));
        // One that is gone has ended.
        let _: Result<Done, Status> = self.call("/containerd.services.tasks.v1.Tasks/Wait", request);
    }

    fn call<Q, A>(&self, path: &str, request: Request<Q>) -> Result<A, Status>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        self.tokio.block_on(async {
            let mut client = Grpc::new(self.channel.clone());
            client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
            let path = PathAndQuery::try_from(path).unwrap();
            Ok(client.unary(request, path, ProstCodec::<Q, A>::default()).await?.into_inner())
        })
    }
}

/// `RunPodSandboxRequest`.
#[derive(Clone, PartialEq, Message)]
pub struct RunPodSandbox {
    #[prost(message, optional, tag = "1")]
    pub config: Option<PodSandbox>,
    #[prost(string, tag = "2")]
    pub runtime_handler: String,
}

/// `PodSandboxConfig`.
#[derive(Clone, PartialEq, Message)]
pub struct PodSandbox {
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<PodMetadata>,
    #[prost(string, tag = "2")]
    pub hostname: String,
    #[prost(string, tag = "3")]
    pub log_directory: String,
    #[prost(map = "string, string", tag = "7")]
    pub annotations: HashMap<String, String>,
    #[prost(message, optional, tag = "8")]
    pub linux: Option<PodLinux>,
}

/// `PodSandboxMetadata`.
#[derive(Clone, PartialEq, Message)]
pub struct PodMetadata {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub uid: String,
    #[prost(string, tag = "3")]
    pub namespace: String,
}

/// `LinuxPodSandboxConfig`.
#[derive(Clone, PartialEq, Message)]
pub struct PodLinux {
    #[prost(string, tag = "1")]
    pub cgroup_parent: String,
    #[prost(message, optional, tag = "2")]
    pub security: Option<PodSecurity>,
}

/// `LinuxSandboxSecurityContext`.
#[derive(Clone, PartialEq, Message)]
pub struct PodSecurity {
    #[prost(message, optional, tag = "1")]
    pub namespaces: Option<Namespaces>,
    #[prost(bool, tag = "6")]
    pub privileged: bool,
}

/// `NamespaceOption`, whose values are [`POD`], [`CONTAINER`] and [`NODE`].
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Namespaces {
    #[prost(int32, tag = "1")]
    pub network: i32,
    #[prost(int32, tag = "2")]
    pub pid: i32,
    #[prost(int32, tag = "3")]
    pub ipc: i32,
}

pub const POD: i32 = 0;
pub const CONTAINER: i32 = 1;
pub const NODE: i32 = 2;

/// `CreateContainerRequest`.
#[derive(Clone, PartialEq, Message)]
pub struct CreateContainer {
    #[prost(string, tag = "1")]
    pub pod: String,
    #[prost(message, optional, tag = "2")]
    pub config: Option<Container>,
    #[prost(message, optional, tag = "3")]
    pub sandbox: Option<PodSandbox>,
}

/// `ContainerConfig`.
#[derive(Clone, PartialEq, Message)]
pub struct Container {
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<ContainerMetadata>,
    #[prost(message, optional, tag = "2")]
    pub image: Option<Image>,
    #[prost(string, repeated, tag = "3")]
    pub command: Vec<String>,
    #[prost(string, tag = "5")]
    pub directory: String,
    #[prost(message, repeated, tag = "7")]
    pub mounts: Vec<Mount>,
    #[prost(map = "string, string", tag = "10")]
    pub annotations: HashMap<String, String>,
    /// Below the sandbox's directory of logs.
    #[prost(string, tag = "11")]
    pub log: String,
    #[prost(bool, tag = "12")]
    pub stdin: bool,
    #[prost(bool, tag = "13")]
    pub stdin_once: bool,
    #[prost(message, optional, tag = "15")]
    pub linux: Option<ContainerLinux>,
}

/// `ContainerMetadata`.
#[derive(Clone, PartialEq, Message)]
pub struct ContainerMetadata {
    #[prost(string, tag = "1")]
    pub name: String,
}

/// `ImageSpec`.
#[derive(Clone, PartialEq, Message)]
pub struct Image {
    #[prost(string, tag = "1")]
    pub name: String,
}

/// `Mount`.
#[derive(Clone, PartialEq, Message)]
pub struct Mount {
    #[prost(string, tag = "1")]
    pub inside: String,
    #[prost(string, tag = "2")]
    pub outside: String,
    #[prost(bool, tag = "3")]
    pub readonly: bool,
}

/// `LinuxContainerConfig`.
#[derive(Clone, PartialEq, Message)]
pub struct ContainerLinux {
    #[prost(message, optional, tag = "2")]
    pub security: Option<ContainerSecurity>,
}

/// `LinuxContainerSecurityContext`.
#[derive(Clone, PartialEq, Message)]
pub struct ContainerSecurity {
    #[prost(message, optional, tag = "1")]
    pub capabilities: Option<Capabilities>,
    #[prost(bool, tag = "2")]
    pub privileged: bool,
    #[prost(message, optional, tag = "3")]
    pub namespaces: Option<Namespaces>,
    #[prost(message, optional, tag = "5")]
    pub user: Option<Number>,
    #[prost(string, repeated, tag = "13")]
    pub masked: Vec<String>,
    #[prost(string, repeated, tag = "14")]
    pub readonly: Vec<String>,
    /// The runtime's own profile; without it nothing is filtered.
    #[prost(message, optional, tag = "15")]
    pub seccomp: Option<DefaultProfile>,
}

/// `Int64Value`.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Number {
    #[prost(int64, tag = "1")]
    pub value: i64,
}

/// `SecurityProfile`, whose default is the runtime's.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct DefaultProfile {}

/// `Capability`.
#[derive(Clone, PartialEq, Message)]
pub struct Capabilities {
    #[prost(string, repeated, tag = "1")]
    pub add: Vec<String>,
}

/// Each message that has an id and nothing else that is needed here: what is asked to start, stop or remove, and what was made.
#[derive(Clone, PartialEq, Message)]
pub struct Id {
    #[prost(string, tag = "1")]
    pub id: String,
}

/// An answer that says nothing.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Done {}

/// `ExecSyncRequest`.
#[derive(Clone, PartialEq, Message)]
pub struct ExecSync {
    #[prost(string, tag = "1")]
    pub container: String,
    #[prost(string, repeated, tag = "2")]
    pub command: Vec<String>,
    /// In seconds.
    #[prost(int64, tag = "3")]
    pub timeout: i64,
}

/// `ExecSyncResponse`.
#[derive(Clone, PartialEq, Message)]
pub struct Executed {
    #[prost(bytes = "vec", tag = "1")]
    pub out: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub err: Vec<u8>,
    #[prost(int32, tag = "3")]
    pub code: i32,
}

/// `ExecRequest`; the answer is where its streams are.
#[derive(Clone, PartialEq, Message)]
pub struct Exec {
    #[prost(string, tag = "1")]
    pub container: String,
    #[prost(string, repeated, tag = "2")]
    pub command: Vec<String>,
    #[prost(bool, tag = "4")]
    pub stdin: bool,
    #[prost(bool, tag = "5")]
    pub stdout: bool,
    #[prost(bool, tag = "6")]
    pub stderr: bool,
}

/// `AttachRequest`; the answer is where its streams are.
#[derive(Clone, PartialEq, Message)]
pub struct Attach {
    #[prost(string, tag = "1")]
    pub container: String,
    #[prost(bool, tag = "2")]
    pub stdin: bool,
    #[prost(bool, tag = "4")]
    pub stdout: bool,
    #[prost(bool, tag = "5")]
    pub stderr: bool,
}

/// `PortForwardRequest`; the answer is where its streams are.
#[derive(Clone, PartialEq, Message)]
pub struct PortForward {
    #[prost(string, tag = "1")]
    pub pod: String,
    #[prost(int32, repeated, tag = "2")]
    pub ports: Vec<i32>,
}

/// Where streams are, over HTTP.
#[derive(Clone, PartialEq, Message)]
pub struct Streams {
    #[prost(string, tag = "1")]
    pub url: String,
}

/// `ContainerStatusResponse` and `PodSandboxStatusResponse`, of which the state lies in the same place.
#[derive(Clone, PartialEq, Message)]
pub struct Seen {
    #[prost(message, optional, tag = "1")]
    pub status: Option<SeenStatus>,
}

/// `ContainerStatus`, of which [`RUNNING`] and [`EXITED`] are states; and `PodSandboxStatus`, of which [`READY`] is one.
#[derive(Clone, PartialEq, Message)]
pub struct SeenStatus {
    #[prost(int32, tag = "3")]
    pub state: i32,
    /// A container's.
    #[prost(int32, tag = "7")]
    pub code: i32,
}

pub const RUNNING: i32 = 1;
pub const EXITED: i32 = 2;
pub const READY: i32 = 0;
