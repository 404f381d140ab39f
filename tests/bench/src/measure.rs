//! What is measured, in which order, and how is it told?

use std::path::{Path, PathBuf};

use crate::arguments::{Measure, Topic};
use crate::figure::Figure;
use crate::{Failure, connections, decisions, drift, hooks, images, memory, names, start, throughput};

/// What every figure needs.
pub(crate) struct Setting {
    pub(crate) rounds: u32,
    pub(crate) bottle: PathBuf,
    pub(crate) busybox: PathBuf,
    pub(crate) user: String,
    /// Where tests/images/build made the images.
    pub(crate) images: Option<PathBuf>,
    /// A directory of our own that every user can look into.
    pub(crate) scratch: tempfile::TempDir,
}

impl Setting {
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }
}

/// A topic and how its figures are made.
type Kind = (Topic, fn(&Setting) -> Result<Vec<Figure>, Failure>);

const KINDS: [Kind; 12] = [
    (Topic::Start, start::figures),
    (Topic::Throughput, throughput::figures),
    (Topic::Connections, connections::figures),
    (Topic::Dns, names::figures),
    (Topic::Memory, memory::figures),
    (Topic::Drift, drift::figures),
    (Topic::Decisions, decisions::figures),
    (Topic::Hooks, hooks::figures),
    (Topic::Image, images::start),
    (Topic::Cold, images::cold),
    (Topic::Pull, images::pull),
    (Topic::Crowd, images::crowd),
];

/// Measures what was asked for and prints it.
pub(crate) fn run(wanted: &Measure) -> Result<(), Failure> {
    let setting = setting(wanted)?;
    let mut figures = Vec::new();
    for (topic, make) in KINDS {
        if wanted.only.is_empty() || wanted.only.contains(&topic) {
            let made = make(&setting).map_err(|error| format!("{topic:?}: {error}"))?;
            if !wanted.json {
                made.iter().for_each(Figure::print);
            }
            figures.extend(made);
        }
    }
    if wanted.json {
        println!("{}", serde_json::to_string_pretty(&figures)?);
    }
    Ok(())
}

fn setting(wanted: &Measure) -> Result<Setting, Failure> {
    use std::os::unix::fs::PermissionsExt;
    if !nix::unistd::geteuid().is_root() {
        return Err("only root can measure: runc, the routed path and other people's memory need it".into());
    }
    let beside = std::env::current_exe()?.with_file_name("bottle");
    let bottle = wanted.bottle.clone().unwrap_or(beside);
    there(&bottle, "build it with the same profile: cargo build --release -p bottle")?;
    there(&wanted.busybox, "apt-get install busybox-static")?;
    let scratch = tempfile::Builder::new().prefix("bottle-bench.").tempdir()?;
    std::fs::set_permissions(scratch.path(), std::fs::Permissions::from_mode(0o755))?;
    let (busybox, user) = (wanted.busybox.clone(), wanted.user.clone());
    let images = wanted.images.clone();
    Ok(Setting { rounds: wanted.rounds, bottle, busybox, user, images, scratch })
}

fn there(program: &Path, hint: &str) -> Result<(), Failure> {
    if program.is_file() { Ok(()) } else { Err(format!("{} is not there\nhint: {hint}", program.display()).into()) }
}
