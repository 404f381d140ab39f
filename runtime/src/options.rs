//! What may a caller ask of a run? As asked, before anything is looked at.

use std::path::PathBuf;
use std::time::Duration;

use bottle_evidence::Digest;
use bottle_images::{ImageRef, Volume};
use bottle_policy::Rules;

/// Everything that a run can be told. [`RunOptions::new`] gives the defaults.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// What the root file system is made of.
    pub image: ImageRef,
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
    /// The working directory inside; by default the caller's for `host`, else the image's.
    pub workdir: Option<PathBuf>,
    /// What the standard streams are.
    pub stdio: Stdio,
    /// Whether HTTPS_PROXY and its friends are set inside.
    pub proxy_env: ProxyEnv,
    /// Where the audit log goes; by default into the run's own directory.
    pub audit: Option<PathBuf>,
    /// Where the attestation goes; likewise.
    pub attestation: Option<PathBuf>,
    /// What the attestation is to carry, so that whoever gave it knows that it was signed since; by default random bytes.
    pub nonce: Option<Digest>,
    /// The signing key; by default the one that is made on first use.
    pub key: Option<PathBuf>,
    /// After how long the workload is killed.
    pub timeout: Option<Duration>,
    /// How many descriptors a process inside may have until it asks for more (its soft limit); by default as many as the
    /// caller, who may have [raised](crate::descriptors::raise) its own.
    pub descriptors: Option<u64>,
}

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
            command,
            rules: Rules::deny_all(),
            policy_files: Vec::new(),
            env: Vec::new(),
            volumes: Vec::new(),
            workdir: None,
            stdio: Stdio::default(),
            proxy_env: ProxyEnv::default(),
            audit: None,
            attestation: None,
            nonce: None,
            key: None,
            timeout: None,
            descriptors: None,
        }
    }
}
