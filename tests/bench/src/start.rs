//! How long does an attested start take beside one that proves nothing? `true` in the same root file system, to its end.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::Failure;
use crate::figure::{Figure, Target};
use crate::measure::Setting;

/// By turns, after one round that fills the caches.
pub(crate) fn figures(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let root = root_file_system(setting, "root")?;
    let bundle = bundle(setting, &root, "bundle")?;
    let (mut bottle, mut runc) = (Vec::new(), Vec::new());
    for round in 0..=setting.rounds {
        let ours = timed(&mut in_a_bottle(setting, &root, &[], &["true"]))?;
        let theirs = timed(&mut with_runc(setting, &bundle, round))?;
        if round > 0 {
            bottle.push(ours);
            runc.push(theirs);
        }
    }
    let target = Target::AtMost(1.0, 0.5);
    Ok(vec![Figure::new("start, attested", "ms", target, bottle, Some(("runc", runc)))])
}

/// A root file system with nothing but busybox.
pub(crate) fn root_file_system(setting: &Setting, name: &str) -> Result<PathBuf, Failure> {
    let root = setting.at(name);
    if root.exists() {
        return Ok(root);
    }
    for directory in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
        fs::create_dir_all(root.join(directory))?;
    }
    fs::copy(&setting.busybox, root.join("bin/busybox"))?;
    for name in ["true", "sleep", "echo"] {
        symlink("busybox", root.join("bin").join(name))?;
    }
    Ok(root)
}

/// `bottle run OPTIONS dir:ROOT -- COMMAND`.
pub(crate) fn in_a_bottle(setting: &Setting, root: &Path, options: &[&str], command: &[&str]) -> Command {
    of_program(&setting.bottle, setting, root, options, command)
}

/// The same by a file of bottle's program.
pub(crate) fn of_program(
    program: &Path,
    setting: &Setting,
    root: &Path,
    options: &[&str],
    command: &[&str],
) -> Command {
    let mut run = Command::new(program);
    run.arg("run").args(options).arg(format!("dir:{}", root.display())).arg("--").args(command);
    run.env("BOTTLE_ROOT", setting.at("state")).current_dir("/");
    run
}

/// What `runc spec` says, without a terminal and running `true`. Its network namespace has nothing but loopback.
pub(crate) fn bundle(setting: &Setting, root: &Path, name: &str) -> Result<PathBuf, Failure> {
    let bundle = setting.at(name);
    fs::create_dir(&bundle)?;
    let made = Command::new("runc").arg("spec").current_dir(&bundle).status();
    if !made.map_err(|error| format!("runc: {error}\nhint: apt-get install runc"))?.success() {
        return Err("runc spec failed".into());
    }
    let file = bundle.join("config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&file)?)?;
    config["process"]["terminal"] = false.into();
    config["process"]["args"] = ["true"].as_slice().into();
    config["root"]["path"] = root.display().to_string().into();
    fs::write(&file, config.to_string())?;
    Ok(bundle)
}

pub(crate) fn with_runc(setting: &Setting, bundle: &Path, round: u32) -> Command {
    let mut run = Command::new("runc");
    run.arg("--root").arg(setting.at("runc")).args(["run", "--bundle"]).arg(bundle);
    run.arg(format!("bottle-bench-{}-{round}", std::process::id()));
    run
}

/// Milliseconds from before the fork to after the reaping.
pub(crate) fn timed(command: &mut Command) -> Result<f64, Failure> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let begun = Instant::now();
    let status = command.status()?;
    let took = begun.elapsed();
    if status.success() { Ok(took.as_secs_f64() * 1000.0) } else { Err(format!("{command:?}: {status}").into()) }
}
