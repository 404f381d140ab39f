//! What does `bottle hook` take?

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `bottle hook`.
#[derive(Debug, Subcommand)]
pub enum HookVerb {
    /// Have engines call the hooks: write the file that tells them
    #[command(after_help = "Exit code: 0 installed, 2 usage or I/O.")]
    Install(InstallArgs),
    /// Called by an engine: build the airlock around a container that is about to start
    #[command(after_help = "Exit code: 0 the container may go on, else it must not.")]
    Create {
        /// The settings of the hooks; by default /etc/bottle/hooks.json, if it is there
        #[arg(long, value_name = "FILE")]
        settings: Option<PathBuf>,
        /// It must join the network of a bottle that runs: bottle-oci has found it to
        #[arg(long)]
        joins: bool,
    },
    /// Print a seccomp profile by which no socket of AF_VSOCK is opened, for engines and bundles whose own one lets them be
    #[command(after_help = "Exit code: 0 printed, 2 usage or I/O.")]
    Seccomp {
        /// The profile to change, as podman has it in /usr/share/containers/seccomp.json or a bundle as linux.seccomp; by default
        /// that of every bottle
        file: Option<PathBuf>,
    },
    /// Called by an engine: see to it that nothing is left of a container that has ended
    #[command(after_help = "Exit code: 0 nothing is left, 2 usage or I/O, or something is left.")]
    Stop,
}

/// `bottle hook install`.
#[derive(Debug, Args)]
pub struct InstallArgs {
    /// The engines' directory of hooks
    #[arg(long, value_name = "DIR", default_value = "/etc/containers/oci/hooks.d")]
    pub directory: PathBuf,
    /// The settings that the hook is to read; by default /etc/bottle/hooks.json, if it is there
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// Print the file instead of writing it
    #[arg(long)]
    pub print: bool,
}
