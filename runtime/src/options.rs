//! What may a caller ask of a run? As asked, before anything is looked at.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bottle_evidence::Digest;
use bottle_images::{ImageRef, Tmpfs, Volume};
use bottle_policy::Rules;
use bottle_proxy::UpstreamProxy;

use crate::cgroups::Limits;
use crate::event::Event;
use crate::kept::KeptName;
use crate::publish::Publish;
use crate::records::{Afterwards, Name};
use crate::segments;
use crate::tpm::TpmUse;
use crate::ulimit::Ulimit;

/// Everything that a run can be told. [`RunOptions::new`] gives the defaults.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// What the root file system is made of.
    pub image: ImageRef,
    /// What it was called by whoever asked, where that is not what it says itself.
    pub image_name: Option<String>,
    /// The command and its arguments; empty means the image's own, or a shell.
    pub command: Vec<String>,
    /// What may be reached.
    pub rules: Rules,
    /// The files that the rules came from: the workload must not be able to write them.
    pub policy_files: Vec<PathBuf>,
    /// Variables to set inside.
    pub env: Vec<(String, String)>,
    /// Host directories to show inside.
    pub volumes: Vec<Volume>,
    /// Empty file systems in memory to mount inside.
    pub tmpfs: Vec<Tmpfs>,
    /// Whether the root is read-only. Shared directories are as they say; home, /tmp, /var/tmp and /run are a tmpfs each.
    pub read_only: bool,
    /// Under which name what is changed in the image's files is kept, and gone on with; by default it vanishes.
    pub keep: Option<KeptName>,
    /// The user inside, of those in the image: `name`, `uid`, `name:group` or `uid:gid`; by default the one that the image names.
    pub user: Option<String>,
    /// What is executed with the command's words instead of the image's entrypoint and command; empty means that there is none.
    pub entrypoint: Option<String>,
    /// The working directory inside; by default the caller's for `host`, else the image's.
    pub workdir: Option<PathBuf>,
    /// Where the command's output goes.
    pub output: Output,
    /// What the standard streams are.
    pub stdio: Stdio,
    /// Whether HTTPS_PROXY and its friends are set inside.
    pub proxy_env: ProxyEnv,
    /// Through which proxy everything is dialled; by default through none.
    pub upstream_proxy: Option<UpstreamProxy>,
    /// Which ports inside the host's programs can connect to, on its loopback; by default none.
    pub publish: Vec<Publish>,
    /// Where the audit log goes; by default into the run's own directory.
    pub audit: Option<PathBuf>,
    /// How many bytes a file of the audit log has before the log goes on in another.
    pub audit_max_size: u64,
    /// Where the attestation goes; likewise.
    pub attestation: Option<PathBuf>,
    /// What the attestation is to carry, so that whoever gave it knows that it was signed since; by default random bytes.
    pub nonce: Option<Digest>,
    /// The signing key; by default the one that is made on first use.
    pub key: Option<PathBuf>,
    /// The TPM that keeps the key, if one does, and that says in which state the machine is.
    pub tpm: Option<TpmUse>,
    /// What the bottle is called; by default the beginning of its id.
    pub name: Option<Name>,
    /// What becomes of its record at the end.
    pub afterwards: Afterwards,
    /// After how long the workload is killed.
    pub timeout: Option<Duration>,
    /// What the workload may use altogether; by default as much as there is.
    pub limits: Limits,
    /// What each of its processes may use; by default what the caller may.
    pub ulimits: Vec<Ulimit>,
    /// How many descriptors a process inside may have until it asks for more (its soft limit); by default as many as the
    /// caller, who may have [raised](crate::descriptors::raise) its own.
    pub descriptors: Option<u64>,
}

/// Where the workload's output goes, and what is told of the run.
#[derive(Clone, Debug, Default)]
pub enum Output {
    /// To the caller.
    #[default]
    Caller,
    /// Into the log beside the run's record, and so does what is told, in these words. Nothing is read from the caller.
    Log(Words),
    /// Into these files, by way of pipes. Nothing is read from the caller. What a terminal of the bottle's own shows goes to the
    /// caller all the same.
    Files {
        /// What is written to standard output.
        stdout: Arc<File>,
        /// What is written to standard error.
        stderr: Arc<File>,
    },
}

/// The lines by which an event is told.
pub type Words = fn(&Event) -> Vec<String>;

/// What the workload's standard streams are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stdio {
    /// The caller's pipes and files by way of pipes; a terminal is written to, never read.
    #[default]
    Streams,
    /// The same, and a terminal is read too (`-i`).
    Interactive,
    /// A pty of the bottle's own (`-t`).
    Terminal,
}

/// Whether the environment names the explicit proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyEnv {
    /// The transparent proxy is enough.
    #[default]
    Unset,
    /// HTTPS_PROXY, HTTP_PROXY in both cases, and NO_PROXY, are set.
    Set,
}

impl RunOptions {
    /// A run of this command in this image which may reach nothing.
    pub fn new(image: ImageRef, command: Vec<String>) -> RunOptions {
        RunOptions {
            image,
            image_name: None,
            command,
            rules: Rules::deny_all(),
            policy_files: Vec::new(),
            env: Vec::new(),
            volumes: Vec::new(),
            tmpfs: Vec::new(),
            read_only: false,
            keep: None,
            user: None,
            entrypoint: None,
            workdir: None,
            output: Output::default(),
            stdio: Stdio::default(),
            proxy_env: ProxyEnv::default(),
            upstream_proxy: None,
            publish: Vec::new(),
            audit: None,
            audit_max_size: segments::USUAL,
            attestation: None,
            nonce: None,
            key: None,
            tpm: None,
            name: None,
            afterwards: Afterwards::Forget,
            timeout: None,
            limits: Limits::default(),
            ulimits: Vec::new(),
            descriptors: None,
        }
    }
}
