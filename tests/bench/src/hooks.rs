//! What does bottle's hook cost a container of runc's? Its start beside the same without the hook, and what its processes weigh.

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Failure;
use crate::figure::{Figure, Target};
use crate::measure::Setting;
use crate::processes::{descendants, name, of_program_kib, on_processor, weight};
use crate::start::{bundle, root_file_system, with_runc};

/// Ids that nobody has, for the user namespace that the hook wants and that both sides get.
const OUTSIDE: u32 = 1_500_000_000;
/// How long a container is left alone before its processes are weighed.
const SETTLING: Duration = Duration::from_secs(2);

/// By turns, after one round that fills the caches.
pub(crate) fn figures(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let root = root_file_system(setting, "root-of-hooks")?;
    let plain = changed(setting, &root, "plain", |_| {})?;
    let hooked = changed(setting, &root, "hooked", |config| config["hooks"] = hooks(setting))?;
    // What any hook costs.
    let idling = changed(setting, &root, "idling", |config| {
        let hook = json!({"path": "/bin/true", "args": ["true"], "timeout": 60});
        config["hooks"] = json!({"createRuntime": [hook], "poststop": [hook]});
    })?;
    let wrapped = changed(setting, &root, "wrapped", |_| {})?;
    symlink(&setting.bottle, setting.at("bottle-oci"))?;
    fs::write(setting.at("hooks.json"), json!({"unannotated": "bottled", "allow": ["vsock"]}).to_string())?;
    let mut took: [Vec<f64>; 4] = Default::default();
    for round in 0..=setting.rounds {
        let runc = |bundle, turn| with_runc(setting, bundle, 4 * round + turn);
        let turns =
            [runc(&hooked, 0), runc(&plain, 1), with_wrapper(setting, &wrapped, 4 * round + 2), runc(&idling, 3)];
        for (mut command, took) in turns.into_iter().zip(&mut took) {
            let one = to_its_first_byte(&mut command)?;
            took.extend((round > 0).then_some(one));
        }
    }
    let [with, without, by_wrapper, idly] = took;
    let sleeping = changed(setting, &root, "sleeping", |config| {
        config["hooks"] = hooks(setting);
        config["process"]["args"] = json!(["busybox", "sh", "-c", "echo first; exec busybox sleep 600"]);
    })?;
    let (mut beyond, mut whole, mut of_three, mut of_all) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..setting.rounds.min(3) {
        let cost = idle(setting, &sleeping)?;
        beyond.push(cost.beyond_the_program);
        whole.push(cost.weight);
        of_three.push(cost.processor_of_three);
        of_all.push(cost.processor);
    }
    let start = "hooks: runc, to its first instruction";
    let limit = Target::AtMost(8.0, 8.0);
    let time = Target::AtMost(15.0, 15.0);
    let (most, by) = (Target::AtMost(1.5, 1.5), "hooks: the same by bottle-oci");
    Ok(vec![
        Figure::new(start, "ms", most, with, Some(("without", without.clone()))).beside("idle hook", idly),
        Figure::new(by, "ms", most, by_wrapper, Some(("without", without))),
        Figure::new("hooks: one container's processes, beyond the program's pages", "MiB", limit, beyond, None),
        Figure::new("hooks: one container's processes, with them", "MiB", Target::AtMost(14.0, 8.0), whole, None),
        Figure::new("hooks: processor time of supervisor, gate and dialler for a start", "ms", time, of_three, None),
        Figure::new("hooks: the same with builder, warden and keeper", "ms", time, of_all, None),
    ])
}

/// A bundle like that of the figure `start`, with a user namespace, that says a word; and what else is changed.
fn changed(setting: &Setting, root: &Path, name: &str, change: impl Fn(&mut Value)) -> Result<PathBuf, Failure> {
    let place = bundle(setting, root, &format!("bundle-{name}"))?;
    let file = place.join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&file)?)?;
    config["process"]["args"] = json!(["echo", "first"]);
    let namespaces = config["linux"]["namespaces"].as_array_mut().ok_or("runc spec names no namespaces")?;
    namespaces.push(json!({"type": "user"}));
    for ids in ["uidMappings", "gidMappings"] {
        config["linux"][ids] = json!([{"containerID": 0, "hostID": OUTSIDE, "size": 65536}]);
    }
    change(&mut config);
    fs::write(&file, config.to_string())?;
    Ok(place)
}

fn state(setting: &Setting) -> PathBuf {
    setting.at("state-of-hooks")
}

fn hooks(setting: &Setting) -> Value {
    let hook = |words: &[&str]| {
        let args: Vec<&str> = ["bottle", "hook"].iter().chain(words).copied().collect();
        let env = [format!("BOTTLE_ROOT={}", state(setting).display())];
        json!({"path": setting.bottle, "args": args, "env": env, "timeout": 60})
    };
    let settings = setting.at("hooks.json").display().to_string();
    json!({"createRuntime": [hook(&["create", "--settings", &settings])], "poststop": [hook(&["stop"])]})
}

/// `bottle-oci run`, as an engine calls it.
fn with_wrapper(setting: &Setting, bundle: &Path, round: u32) -> Command {
    let mut run = Command::new(setting.at("bottle-oci"));
    run.arg("--bottle-settings").arg(setting.at("hooks.json")).arg("--root").arg(setting.at("runc"));
    run.args(["run", "--bundle"]).arg(bundle).arg(format!("bottle-bench-{}-{round}", std::process::id()));
    run.env("BOTTLE_ROOT", state(setting));
    run
}

/// Milliseconds from before the fork to what the container's program says first. Its end is waited for.
fn to_its_first_byte(command: &mut Command) -> Result<f64, Failure> {
    let begun = Instant::now();
    let mut running = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut output = running.stdout.take().ok_or("it has no output")?;
    let read = output.read(&mut [0])?;
    let took = begun.elapsed();
    output.read_to_end(&mut Vec::new())?;
    let status = running.wait()?;
    if read == 1 && status.success() {
        Ok(took.as_secs_f64() * 1000.0)
    } else {
        Err(format!("{command:?}: {status}").into())
    }
}

/// Those who stay as long as the container and do what costs.
const THREE: [&str; 3] = ["bottle-adopting", "bottle-gate", "bottle-dialler"];

/// In MiB and ms.
struct Cost {
    weight: f64,
    beyond_the_program: f64,
    processor_of_three: f64,
    processor: f64,
}

/// What the processes cost that bottle has for a container that says a word and sleeps: on a processor up to the word, and in memory when
/// nothing has happened for a while.
fn idle(setting: &Setting, sleeping: &Path) -> Result<Cost, Failure> {
    let name = format!("bottle-bench-{}-idle", std::process::id());
    let runc = |words: &[&str]| {
        let mut runc = Command::new("runc");
        runc.arg("--root").arg(setting.at("runc")).args(words).stdin(Stdio::null()).stdout(Stdio::piped());
        runc
    };
    let mut running = runc(&["run", "--bundle", &sleeping.display().to_string(), &name]).spawn()?;
    let mut output = running.stdout.take().ok_or("it has no output")?;
    output.read_exact(&mut [0]).map_err(|error| format!("the container says nothing: {error}"))?;
    let cost = cost(setting);
    let status = runc(&["delete", "--force", &name]).status()?;
    running.wait()?;
    if status.success() { cost } else { Err(format!("runc delete: {status}").into()) }
}

fn cost(setting: &Setting) -> Result<Cost, Failure> {
    let processes = processes(setting)?;
    let of = |pid: u32| move |error| format!("{}: {error}", name(pid));
    let (mut three, mut of_all) = (Vec::new(), 0);
    for pid in &processes {
        let nanoseconds = on_processor(*pid).map_err(of(*pid))?;
        of_all += nanoseconds;
        three.extend(THREE.contains(&name(*pid).as_str()).then_some(nanoseconds));
    }
    if three.len() != THREE.len() {
        return Err(format!("{} of {} processes are there", three.len(), THREE.join(", ")).into());
    }
    let of_three: u64 = three.iter().sum();
    std::thread::sleep(SETTLING);
    let (mut weighs, mut program) = (0, 0);
    // The builder has ended meanwhile.
    for pid in &self::processes(setting)? {
        weighs += weight(*pid).map_err(of(*pid))?.proportional;
        program += of_program_kib(*pid, &setting.bottle).map_err(of(*pid))?;
    }
    let mebibytes = |kib: u64| kib as f64 / 1024.0;
    Ok(Cost {
        weight: mebibytes(weighs),
        beyond_the_program: mebibytes(weighs - program),
        processor_of_three: of_three as f64 / 1e6,
        processor: of_all as f64 / 1e6,
    })
}

/// The supervisor of the one bottle that there is, and those that it has started.
fn processes(setting: &Setting) -> Result<Vec<u32>, Failure> {
    let mut listed = Command::new(&setting.bottle);
    let listed = listed.args(["ps", "--json"]).env("BOTTLE_ROOT", state(setting)).output()?;
    let records: Vec<Value> = serde_json::from_slice(&listed.stdout)?;
    let [record] = &records[..] else { return Err(format!("{} bottles where one runs", records.len()).into()) };
    let supervisor = record["supervisor"].as_u64().and_then(|pid| u32::try_from(pid).ok()).ok_or("no supervisor")?;
    Ok(descendants(supervisor)?)
}
