//! What can the benchmark be told? Which figures, how often, and how to print them.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Measures bottle beside its peers.
#[derive(Debug, Parser)]
#[command(name = "bottle-bench", args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) measure: Measure,
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Measure {
    /// Only these figures; all if none is named.
    #[arg(value_enum)]
    pub(crate) only: Vec<Topic>,
    /// How often each side is measured.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// Print one JSON document instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// The program to measure; the `bottle` beside this one if not given.
    #[arg(long)]
    pub(crate) bottle: Option<PathBuf>,
    /// The ordinary user whose idle bottle is weighed.
    #[arg(long, default_value = "bottle-test")]
    pub(crate) user: String,
    /// Where tests/images/build made the images of the figures `image`, `cold`, `pull` and `crowd`.
    #[arg(long)]
    pub(crate) images: Option<PathBuf>,
    /// A static busybox, which makes the root file system of the figures `start`, `memory` and `drift`.
    #[arg(long, default_value = "/bin/busybox")]
    pub(crate) busybox: PathBuf,
}

/// One kind of figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Topic {
    /// `bottle run dir:ROOT -- true` beside `runc run`.
    Start,
    /// Bytes a second down and up, beside a routed path.
    Throughput,
    /// New TLS connections a second, beside a routed path.
    Connections,
    /// DNS answers a second, beside unbound.
    Dns,
    /// What an idle bottle weighs.
    Memory,
    /// How long a workload outlives a change of what was attested.
    Drift,
    /// What it costs to have a decision recorded.
    Decisions,
    /// What bottle's hook costs a container of runc's.
    Hooks,
    /// The start of an image of Debian, beside runc and podman.
    Image,
    /// The same from an archive on, into an empty store.
    Cold,
    /// The same from a registry on.
    Pull,
    /// A hundred at once.
    Crowd,
}

/// What this program is executed again for.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// Plays a process of the lab.
    #[command(hide = true)]
    Lab {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Is the server on the lab's internet.
    #[command(hide = true)]
    Serve { certificate: PathBuf, key: PathBuf },
    /// Is the client, inside a bottle or on the routed path.
    #[command(hide = true)]
    Client {
        #[arg(value_enum)]
        task: Task,
        host: String,
        certificate: Option<PathBuf>,
        /// Where to find the host, if not where its name leads.
        #[arg(long)]
        at: Option<IpAddr>,
    },
}

/// What the client measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Task {
    /// Takes bytes.
    Down,
    /// Gives bytes.
    Up,
    /// Opens TLS connections, each with a handshake of its own.
    Connect,
}

impl Task {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Task::Down => "down",
            Task::Up => "up",
            Task::Connect => "connect",
        }
    }
}
