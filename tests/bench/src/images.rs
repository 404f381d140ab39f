//! How does a real image fare beside runc and podman? Its start, its first start, its way from a registry, a hundred at once.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::Failure;
use crate::figure::{Figure, Target};
use crate::measure::Setting;
use crate::podman::Podman;
use crate::start::{timed, with_runc};

/// What the image is called in bottle's store and in podman's.
const NAME: &str = "localhost/bench:t";
/// How many start at once.
const CROWD: usize = 100;
/// What is slow is measured less often.
const SLOW: u32 = 5;

/// `true` in an image that is unpacked already, by turns.
pub(crate) fn start(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let layout = layout(setting)?;
    let (state, podman) = (setting.at("state-of-images"), Podman::new(setting, "podman")?);
    ran(&mut load(setting, &state, &format!("oci:{}:t", layout.display())))?;
    podman.load(&format!("oci:{}:t", layout.display()), NAME)?;
    let bundle = bundle(setting, &layout)?;
    let (mut bottle, mut runc, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=setting.rounds {
        let ours = timed(&mut run(setting, &state))?;
        let theirs = timed(&mut with_runc(setting, &bundle, round))?;
        let podmans = timed(&mut podman.run(NAME))?;
        if round > 0 {
            bottle.push(ours);
            runc.push(theirs);
            others.push(podmans);
        }
    }
    Ok(vec![
        Figure::new("image: start, attested", "ms", Target::AtMost(0.6, 0.6), bottle.clone(), Some(("runc", runc))),
        Figure::new("image: start, attested", "ms", Target::AtMost(0.15, 0.15), bottle, Some(("podman", others))),
    ])
}

/// From an archive to the end of the first `true`: loaded, unpacked, run. Each time into an empty store.
pub(crate) fn cold(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let archive = setting.at("image.tar");
    let from = format!("oci:{}:t", layout(setting)?.display());
    let to = format!("docker-archive:{}:{NAME}", archive.display());
    ran(Command::new("skopeo").args(["--insecure-policy", "copy", "--quiet", &from, &to]))?;
    let from = format!("docker-archive:{}", archive.display());
    let (mut bottle, mut podmans) = (Vec::new(), Vec::new());
    for round in 0..setting.rounds.min(SLOW) {
        let state = setting.at(&format!("cold-{round}"));
        bottle.push(timed(&mut load(setting, &state, &from))? + timed(&mut run(setting, &state))?);
        fs::remove_dir_all(state)?;
        let podman = Podman::new(setting, &format!("cold-podman-{round}"))?;
        podmans.push(
            timed(podman.command().args(["load", "--quiet", "--input"]).arg(&archive))? + timed(&mut podman.run(NAME))?,
        );
    }
    let target = Target::AtMost(1.0, 1.0);
    Ok(vec![Figure::new("image: loaded and run", "ms", target, bottle, Some(("podman", podmans)))])
}

/// From a registry on loopback into an empty store, where it is unpacked.
pub(crate) fn pull(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let registry = Registry::start(setting)?;
    let name = registry.push(&layout(setting)?)?;
    let settings = setting.at("registries.conf");
    fs::write(&settings, format!("[[registry]]\nlocation = '127.0.0.1:{}'\ninsecure = true\n", registry.port))?;
    let (mut bottle, mut podmans) = (Vec::new(), Vec::new());
    for round in 0..setting.rounds.min(SLOW) {
        let state = setting.at(&format!("pulled-{round}"));
        let mut pull = Command::new(&setting.bottle);
        pull.args(["image", "pull", &name]).env("BOTTLE_ROOT", &state).env("CONTAINERS_REGISTRIES_CONF", &settings);
        bottle.push(timed(pull.stderr(Stdio::null()))?);
        fs::remove_dir_all(&state)?;
        let podman = Podman::new(setting, &format!("pulled-podman-{round}"))?;
        podmans.push(timed(podman.command().args(["pull", "--quiet", "--tls-verify=false", &name]))?);
    }
    Ok(vec![Figure::new("image: pulled", "ms", Target::AtMost(1.0, 1.0), bottle, Some(("podman", podmans)))])
}

/// A hundred at once: all of them must succeed.
pub(crate) fn crowd(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let layout = layout(setting)?;
    let (state, podman) = (setting.at("state-of-crowd"), Podman::new(setting, "podman-of-crowd")?);
    ran(&mut load(setting, &state, &format!("oci:{}:t", layout.display())))?;
    podman.load(&format!("oci:{}:t", layout.display()), NAME)?;
    timed(&mut run(setting, &state))?;
    timed(&mut podman.run(NAME))?;
    let (mut bottle, mut podmans) = (Vec::new(), Vec::new());
    for _ in 0..setting.rounds.min(3) {
        bottle.push(at_once(|| run(setting, &state))?);
        podmans.push(at_once(|| podman.run(NAME))?);
    }
    let target = Target::AtLeast(3.0, 3.0);
    Ok(vec![Figure::new("image: a hundred at once", "a second", target, bottle, Some(("podman", podmans)))])
}

/// How many a second there were of those that were begun together.
fn at_once(command: impl Fn() -> Command) -> Result<f64, Failure> {
    let begun = Instant::now();
    let started =
        (0..CROWD).map(|_| command().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn());
    let started: Vec<Child> = started.collect::<Result<_, _>>()?;
    let mut failed = 0;
    for mut child in started {
        failed += usize::from(!child.wait()?.success());
    }
    let took = begun.elapsed().as_secs_f64();
    if failed == 0 { Ok(CROWD as f64 / took) } else { Err(format!("{failed} of {CROWD} at once failed").into()) }
}

fn layout(setting: &Setting) -> Result<PathBuf, Failure> {
    let images = setting.images.as_ref().ok_or("no image to measure with\nhint: --images $(tests/images/build)")?;
    Ok(images.join("python-node"))
}

fn load(setting: &Setting, state: &Path, from: &str) -> Command {
    let mut load = Command::new(&setting.bottle);
    load.args(["image", "load", "--tag", NAME, from]).env("BOTTLE_ROOT", state).current_dir("/").stderr(Stdio::null());
    load
}

fn run(setting: &Setting, state: &Path) -> Command {
    let mut run = Command::new(&setting.bottle);
    run.args(["run", NAME, "true"]).env("BOTTLE_ROOT", state).current_dir("/").stderr(Stdio::null());
    run
}

/// The unpacked image with what umoci says of how it is run, without a terminal and running `true`.
fn bundle(setting: &Setting, layout: &Path) -> Result<PathBuf, Failure> {
    let bundle = setting.at("bundle-of-image");
    let image = format!("{}:t", layout.display());
    ran(Command::new("umoci").args(["unpack", "--image", &image]).arg(&bundle))?;
    let file = bundle.join("config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&file)?)?;
    config["process"]["terminal"] = false.into();
    config["process"]["args"] = ["true"].as_slice().into();
    fs::write(&file, config.to_string())?;
    Ok(bundle)
}

/// Runs what is not measured.
pub(crate) fn ran(command: &mut Command) -> Result<(), Failure> {
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| format!("{:?}: {error}", command.get_program()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{command:?}: {}: {said}", output.status).into()) }
}

/// Debian's docker-registry on loopback.
struct Registry {
    child: Child,
    port: u16,
}

impl Registry {
    fn start(setting: &Setting) -> Result<Registry, Failure> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let (config, data) = (setting.at("registry.yml"), setting.at("registry"));
        let text = format!(
            "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\n\
             storage: {{ filesystem: {{ rootdirectory: {} }} }}\nhttp: {{ addr: '127.0.0.1:{port}' }}\n",
            data.display()
        );
        fs::write(&config, text)?;
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut registry = Registry { child: command.spawn()?, port };
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = registry.child.try_wait()? {
                return Err(format!("docker-registry: {status}").into());
            }
            std::thread::yield_now();
        }
        Ok(registry)
    }

    /// Brings the image there, and gives its name.
    fn push(&self, layout: &Path) -> Result<String, Failure> {
        let name = format!("127.0.0.1:{}/bench:t", self.port);
        let mut copy = Command::new("skopeo");
        copy.args(["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"]);
        ran(copy.args([format!("oci:{}:t", layout.display()), format!("docker://{name}")]))?;
        Ok(name)
    }
}

impl Drop for Registry {
    /// What can't be killed is gone already.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
