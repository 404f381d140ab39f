//! How does a program of somebody's own run a command in a bottle? In the words of [`std::process::Command`].
//!
//! A front over [`run`](crate::run()) and nothing more: what is asked for here becomes [`RunOptions`], which the stages judge.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bottle_images::{EnsureError, ImageRef, ImageRefError, Pull, Store, StoreError, Volume, VolumeError, ensure};
use bottle_policy::Rules;
use bottle_policy::document::Document;
use bottle_policy::rules::RulesError;
use rustix::fs::MemfdFlags;

use crate::caller::Caller;
use crate::options::{Output, RunOptions};
use crate::outcome::Outcome;
use crate::policy_file::{self, PolicyFileError};
use crate::publish::PublishError;
use crate::run::{RunError, run};
use crate::state::{State, StateError};

/// A command's surroundings to be. Without a policy it reaches nothing.
///
/// Nothing is looked at before [`status`](Bottle::status) or [`output`](Bottle::output), which also say what is wrong with
/// anything that was given. Every process of a bottle is the calling program, executed again in a role, so `main` begins with
/// [`dispatch`](crate::dispatch):
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use bottle_runtime::{Bottle, dispatch};
///
/// fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
///     dispatch();
///     let outcome = Bottle::host().policy_file("../agent.yaml").status(["make", "test"])?;
///     Ok(ExitCode::from(outcome.status.code()))
/// }
/// ```
///
/// An image, a policy as text, and what the command wrote:
///
/// ```no_run
/// # bottle_runtime::dispatch();
/// use bottle_runtime::Bottle;
///
/// let ran = Bottle::image("debian:12")
///     .policy("version: 1\ndomains: [{ pattern: deb.debian.org, ports: [80], protocol: http }]")
///     .volume("/srv/project:/work")
///     .workdir("/work")
///     .timeout(std::time::Duration::from_secs(60))
///     .output(["sh", "-c", "apt-get update && ls"])?;
/// println!("{:?} {} {}", ran.outcome.status, String::from_utf8_lossy(&ran.stdout), ran.outcome.audit.display());
/// # Ok::<(), bottle_runtime::BottleError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a bottle does nothing before `status` or `output`"]
pub struct Bottle {
    image: String,
    policies: Vec<Policy>,
    allowed: Vec<String>,
    env: Vec<(String, String)>,
    volumes: Vec<String>,
    workdir: Option<PathBuf>,
    timeout: Option<Duration>,
    published: Vec<String>,
}

/// Where rules are written.
#[derive(Clone, Debug)]
enum Policy {
    File(PathBuf),
    Text(String),
}

/// Why a command did not run in a bottle to its end.
#[derive(Debug, thiserror::Error)]
pub enum BottleError {
    /// The image's name is none.
    #[error(transparent)]
    Name(#[from] ImageRefError),
    /// The image can't be had.
    #[error(transparent)]
    Image(#[from] EnsureError),
    /// The store of images can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state directories are unusable.
    #[error(transparent)]
    State(#[from] StateError),
    /// A policy file is none.
    #[error(transparent)]
    PolicyFile(#[from] PolicyFileError),
    /// What policies and `allow` say is wrong.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// A volume is none.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// What is to be published is no port, or not for this machine alone.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The working directory is gone.
    #[error("cannot tell where this program is run")]
    Caller(#[source] io::Error),
    /// There is no memory for what the command writes.
    #[error("cannot keep what the command writes")]
    Capture(#[source] io::Error),
    /// It did not run, or not to its end.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl BottleError {
    /// What `bottle run` exits with: 127 where the command was not found, 126 where it can't be executed, 125 for everything
    /// else.
    pub fn exit_code(&self) -> u8 {
        if let BottleError::Run(error) = self { error.exit_code() } else { 125 }
    }

    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            BottleError::Name(error) => Some(error.hint()),
            BottleError::Image(error) => error.hint(),
            BottleError::Store(error) => error.hint(),
            BottleError::State(_) => Some("set BOTTLE_ROOT to a directory of your own".into()),
            BottleError::Rules(error) => error.hint().map(str::to_owned),
            BottleError::Volume(error) => Some(error.hint().to_owned()),
            BottleError::Publish(error) => Some(error.hint().to_owned()),
            BottleError::Run(error) => error.hint(),
            BottleError::PolicyFile(_) | BottleError::Caller(_) | BottleError::Capture(_) => None,
        }
    }
}

/// How a run ended, and what the command wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// How it ended.
    pub outcome: Outcome,
    /// What the command wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
}

impl Bottle {
    /// Around this machine's own programs, read-only, with the working directory shared read-write.
    pub fn host() -> Bottle {
        Bottle::image("host")
    }

    /// Around an image, named as for `bottle run`; it is pulled where it is not here yet.
    pub fn image(name: impl Into<String>) -> Bottle {
        Bottle {
            image: name.into(),
            policies: Vec::new(),
            allowed: Vec::new(),
            env: Vec::new(),
            volumes: Vec::new(),
            workdir: None,
            timeout: None,
            published: Vec::new(),
        }
    }

    /// Allows what the policy in this file allows. Rules only add. The command must not be able to write the file.
    pub fn policy_file(mut self, path: impl Into<PathBuf>) -> Bottle {
        self.policies.push(Policy::File(path.into()));
        self
    }

    /// Allows what this policy allows; errors name its lines as `policy:LINE:COLUMN`.
    pub fn policy(mut self, text: impl Into<String>) -> Bottle {
        self.policies.push(Policy::Text(text.into()));
        self
    }

    /// Allows a destination, as `--allow` does: `NAME` is TLS on port 443, `tcp://NAME:PORT` and `http://NAME` say more.
    pub fn allow(mut self, destination: impl Into<String>) -> Bottle {
        self.allowed.push(destination.into());
        self
    }

    /// Sets a variable inside. The caller's own are not passed on, but for those that say who and where one is.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Bottle {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Shows a file or directory inside: `HOST:INSIDE`, or `HOST:INSIDE:ro`.
    pub fn volume(mut self, volume: impl Into<String>) -> Bottle {
        self.volumes.push(volume.into());
        self
    }

    /// Where the command starts, a path inside; by default the caller's working directory for the host, else the image's.
    pub fn workdir(mut self, path: impl Into<PathBuf>) -> Bottle {
        self.workdir = Some(path.into());
        self
    }

    /// Lets this machine's programs connect to a port inside, as `-p` does: `HOSTPORT:PORT`, on loopback alone. The run's record,
    /// and [`Event::Published`](crate::Event::Published), say which host port `PORT` alone is at.
    pub fn publish(mut self, port: impl Into<String>) -> Bottle {
        self.published.push(port.into());
        self
    }

    /// Kills the command after this time; its status is then signal 9, and [`Outcome::reason`] says why.
    pub fn timeout(mut self, time: Duration) -> Bottle {
        self.timeout = Some(time);
        self
    }

    /// Runs the command to its end with the caller's standard streams. An empty command is the image's own.
    ///
    /// # Errors
    /// [`BottleError`] where it did not run, or bottle could not bring it to its end. A command that fails is an outcome.
    pub fn status(&self, command: impl IntoIterator<Item = impl Into<String>>) -> Result<Outcome, BottleError> {
        let caller = Caller::current().map_err(BottleError::Caller)?;
        Ok(run(self.options(command, &caller)?, &caller, |_| {})?)
    }

    /// Runs the command to its end and keeps in memory what it writes. It reads nothing: its input is /dev/null.
    ///
    /// # Errors
    /// As [`Bottle::status`].
    pub fn output(&self, command: impl IntoIterator<Item = impl Into<String>>) -> Result<Captured, BottleError> {
        let caller = Caller::current().map_err(BottleError::Caller)?;
        let mut options = self.options(command, &caller)?;
        let [stdout, stderr] = [in_memory()?, in_memory()?];
        options.output = Output::Files { stdout: Arc::clone(&stdout), stderr: Arc::clone(&stderr) };
        let outcome = run(options, &caller, |_| {})?;
        Ok(Captured { outcome, stdout: written(&stdout)?, stderr: written(&stderr)? })
    }

    /// The same as options, for what has no word here: limits, a key, where log and attestation go. [`run`](crate::run()) takes
    /// them, and tells what happens meanwhile. Here the image is pulled.
    ///
    /// # Errors
    /// What is wrong with anything that was given, and why there is no image.
    pub fn options(
        &self,
        command: impl IntoIterator<Item = impl Into<String>>,
        caller: &Caller,
    ) -> Result<RunOptions, BottleError> {
        let rules = self.rules()?;
        let volumes = self.volumes.iter().map(|text| Volume::parse(text)).collect::<Result<_, _>>()?;
        let command = command.into_iter().map(Into::into).collect();
        Ok(RunOptions {
            image_name: Some(self.image.clone()),
            rules,
            policy_files: self.policies.iter().filter_map(Policy::file).map(Path::to_owned).collect(),
            env: self.env.clone(),
            volumes,
            workdir: self.workdir.clone(),
            timeout: self.timeout,
            publish: self.published.iter().map(|text| text.parse()).collect::<Result<_, PublishError>>()?,
            ..RunOptions::new(had(&self.image, caller)?, command)
        })
    }

    fn rules(&self) -> Result<Rules, BottleError> {
        let documents: Vec<Document> = self.policies.iter().map(Policy::read).collect::<Result<_, _>>()?;
        Ok(Rules::from_documents(&documents)?.unite(Rules::allow_flags(&self.allowed)?)?)
    }
}

impl Policy {
    fn read(&self) -> Result<Document, BottleError> {
        match self {
            Policy::File(path) => Ok(policy_file::read(path)?),
            Policy::Text(text) => Ok(Document::parse(text, "policy").map_err(RulesError::from)?),
        }
    }

    fn file(&self) -> Option<&Path> {
        if let Policy::File(path) = self { Some(path) } else { None }
    }
}

/// The image by this name; one of a registry or of a file is in the store then.
fn had(name: &str, caller: &Caller) -> Result<ImageRef, BottleError> {
    let image = ImageRef::parse(name)?;
    let ImageRef::Stored(source) = &image else { return Ok(image) };
    let store = Store::open(&State::open(&caller.places, caller.uid)?.data.join("images"))?;
    let digest = ensure(&store, source, Pull::Missing, &caller.containers(), &caller.ids(), &caller.cwd, &|_| {})?;
    Ok(ImageRef::Manifest(digest))
}

fn in_memory() -> Result<Arc<File>, BottleError> {
    let file = rustix::fs::memfd_create("bottle-output", MemfdFlags::CLOEXEC);
    Ok(Arc::new(File::from(file.map_err(|error| BottleError::Capture(error.into()))?)))
}

fn written(file: &File) -> Result<Vec<u8>, BottleError> {
    let mut bytes = Vec::new();
    let mut file = file;
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).map_err(BottleError::Capture)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(bottle: &Bottle) -> Result<RunOptions, BottleError> {
        bottle.options(["true"], &Caller::current().expect("a working directory"))
    }

    #[test]
    fn without_a_policy_nothing_is_allowed() {
        assert_eq!(options(&Bottle::host()).expect("options").rules.digest(), Rules::deny_all().digest());
    }

    #[test]
    fn policies_and_allowed_destinations_unite_and_files_are_guarded() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "version: 1\ndomains: [{ pattern: a.example }]").expect("a policy");
        let bottle = Bottle::host().policy_file(file.path()).policy("version: 1\ndomains: [{ pattern: b.example }]");
        let options = options(&bottle.allow("tcp://c.example:22")).expect("options");
        assert_eq!((options.rules.domains().len(), options.policy_files), (3, vec![file.path().to_owned()]));
    }

    #[test]
    fn ports_are_published_as_on_the_command_line() {
        let options = options(&Bottle::host().publish("8080:80").publish("[::1]:8081:81")).expect("options");
        assert_eq!(options.publish, ["8080:80", "[::1]:8081:81"].map(|text| text.parse().expect("a port")));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place_before_anything_runs() {
        let wrong = |bottle: Bottle| options(&bottle).expect_err("an error");
        assert!(wrong(Bottle::host().policy("version: 1\nmode: lax")).to_string().contains("policy:2:7"));
        let unpublished = Bottle::host().publish("0.0.0.0:80:80");
        for bottle in [Bottle::host().allow("-"), Bottle::host().volume("/x"), Bottle::image(""), unpublished] {
            let error = wrong(bottle);
            assert!(error.hint().is_some(), "{error}");
            assert_eq!(error.exit_code(), 125);
        }
    }
}
