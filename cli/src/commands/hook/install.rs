//! `bottle hook install`: how do engines come to call the hooks? By files in a directory that they read (oci-hooks(5)).

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::args::InstallArgs;
use crate::report::{Failure, Reporter};
use crate::stdout;

/// How long an engine waits, in seconds: longer than any step of ours takes.
const TIMEOUT: u32 = 180;

/// Names by which ours come last: engines go by the alphabet.
const CREATE: &str = "zz-bottle-create.json";
const STOP: &str = "zz-bottle-stop.json";

/// Why the hooks are not installed.
#[derive(Debug, thiserror::Error)]
enum InstallError {
    /// The program's own place is unknown or no text.
    #[error("cannot tell where this program lies")]
    Program(#[source] std::io::Error),
    /// A path that no JSON can hold, or that would mean another file elsewhere.
    #[error("{} is no absolute path in UTF-8", .0.display())]
    Path(PathBuf),
    /// A file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Runs the verb.
pub fn run(args: &InstallArgs, reporter: Reporter) -> Result<ExitCode, Failure> {
    let files = files(args).map_err(Failure::new)?;
    for (name, content) in files {
        let text = serde_json::to_string_pretty(&content).map_err(Failure::new)?;
        if args.print {
            stdout::line(&text)?;
            continue;
        }
        let path = args.directory.join(name);
        write(&path, &text).map_err(Failure::new)?;
        reporter.say(&format!("wrote {}", path.display()));
    }
    if !args.print {
        // podman without it starts containers as if there were no hook, and says nothing.
        let line = format!("hooks_dir = [\"{}\"]", args.directory.display());
        reporter.say(&format!("podman of ordinary users calls hooks only if containers.conf says so: [engine] {line}"));
        reporter.say(
            "podman's own seccomp profile lets sockets of AF_VSOCK be opened, which the hook refuses: `bottle hook seccomp \
             /usr/share/containers/seccomp.json >/etc/containers/seccomp.json` makes another, which podman prefers",
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn files(args: &InstallArgs) -> Result<[(&'static str, Value); 2], InstallError> {
    let program = std::env::current_exe().map_err(InstallError::Program)?;
    let mut create = vec!["bottle", "hook", "create"];
    if let Some(settings) = &args.settings {
        create.extend(["--settings", absolute(settings)?]);
    }
    let hook = |arguments: &[&str], stage| {
        Ok(json!({
            "version": "1.0.0",
            "hook": {"path": absolute(&program)?, "args": arguments, "timeout": TIMEOUT},
            // A condition that is not met would mean no hook, and so no airlock: the hook itself decides.
            "when": {"always": true},
            "stages": [stage],
        }))
    };
    Ok([(CREATE, hook(&create, "createRuntime")?), (STOP, hook(&["bottle", "hook", "stop"], "poststop")?)])
}

fn absolute(path: &Path) -> Result<&str, InstallError> {
    path.to_str().filter(|_| path.is_absolute()).ok_or_else(|| InstallError::Path(path.to_owned()))
}

/// Whole or not at all: an engine that reads half a file starts nothing, or without the hook.
fn write(path: &Path, text: &str) -> Result<(), InstallError> {
    let failed = |source| InstallError::Write { path: path.to_owned(), source };
    let directory = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(directory).map_err(failed)?;
    let mut file = tempfile::Builder::new().prefix(OsStr::new(".bottle")).tempfile_in(directory).map_err(failed)?;
    file.write_all(format!("{text}\n").as_bytes()).map_err(failed)?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644)).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}
