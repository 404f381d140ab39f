//! What does an idle bottle weigh? All its processes, its sleeping workload included, as root and as an ordinary user.

use std::collections::BTreeMap;
use std::os::unix::fs::lchown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bottle_lab::account::Account;

use crate::Failure;
use crate::figure::{Figure, Target};
use crate::measure::Setting;
use crate::processes::{descendants, memory_files_kib, name, weight};
use crate::start::{of_program, root_file_system};

/// How long a bottle is left alone before it is weighed.
const SETTLING: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(20);

/// Several bottles each, since what a page weighs depends on who shares it; and of the program as it was built and of a copy, which
/// the page cache holds in larger pieces: the heavier counts.
pub(crate) fn figures(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let copy = setting.at("bottle");
    std::fs::copy(&setting.bottle, &copy)?;
    let mut figures = heavier(setting, &copy, None)?;
    match Account::find(&setting.user)? {
        Some(user) => figures.extend(heavier(setting, &copy, Some(&user))?),
        None => eprintln!("no user {}: an ordinary user's bottle is not weighed", setting.user),
    }
    Ok(figures)
}

fn heavier(setting: &Setting, copy: &Path, user: Option<&Account>) -> Result<Vec<Figure>, Failure> {
    let (built, copied) = (weighed(setting, &setting.bottle, user)?, weighed(setting, copy, user)?);
    let heavier = |(built, copied): (Figure, Figure)| if built.result > copied.result { built } else { copied };
    Ok(built.into_iter().zip(copied).map(heavier).collect())
}

fn weighed(setting: &Setting, program: &Path, user: Option<&Account>) -> Result<Vec<Figure>, Failure> {
    let who = if user.is_some() { "ordinary user" } else { "root" };
    let (mut mapped, mut all, mut beyond) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..setting.rounds.min(3) {
        let mut bottle = idle(setting, program, user)?;
        let weights = descendants(bottle.id()).map_err(Failure::from).and_then(|processes| {
            let others: Vec<u32> = processes.iter().copied().filter(|pid| name(*pid) != "sleep").collect();
            Ok((weigh(&processes)?, weigh(&others)?.0))
        });
        // With the supervisor, all that is in its bottle ends.
        bottle.kill()?;
        bottle.wait()?;
        let ((shared, copies), others) = weights?;
        beyond.push(others);
        mapped.push(shared);
        all.push(copies);
    }
    let figure = |what, target, values| Figure::new(format!("memory, {who}, {what}"), "MiB", target, values, None);
    let target = Target::AtMost(14.0, 6.0);
    Ok(vec![
        figure("all processes", target, mapped),
        figure("with what memory files hold unmapped", target, all),
        figure("beyond its workload", Target::AtMost(6.0, 6.0), beyond),
    ])
}

/// In MiB: the proportional set sizes; and these with the memory files counted whole, mapped or not.
fn weigh(processes: &[u32]) -> Result<(f64, f64), Failure> {
    let (mut mapped, mut besides, mut files) = (0, 0, BTreeMap::new());
    for pid in processes {
        let weight = weight(*pid).map_err(|error| format!("weighing {}: {error}", name(*pid)))?;
        mapped += weight.proportional;
        besides += weight.proportional - weight.of_shared_memory;
        files.extend(memory_files_kib(*pid)?);
    }
    let whole = besides + files.values().sum::<u64>();
    Ok((mapped as f64 / 1024.0, whole as f64 / 1024.0))
}

/// Starts a bottle whose workload sleeps, and waits until it does.
fn idle(setting: &Setting, program: &Path, user: Option<&Account>) -> Result<Child, Failure> {
    let root = match user {
        Some(_) => root_file_system(setting, "root-of-user")?,
        None => root_file_system(setting, "root")?,
    };
    let mut run = of_program(program, setting, &root, &[], &["sleep", "600"]);
    if let Some(user) = user {
        let state = setting.at("state-of-user");
        std::fs::create_dir_all(&state)?;
        give(&root, user)?;
        give(&state, user)?;
        run.env("BOTTLE_ROOT", state).env("HOME", &user.home).env("USER", &user.name);
        run.uid(user.uid).gid(user.gid);
    }
    let mut bottle = run.stdin(Stdio::null()).spawn()?;
    let begun = Instant::now();
    while !descendants(bottle.id())?.iter().any(|pid| name(*pid) == "sleep") {
        if begun.elapsed() > PATIENCE || bottle.try_wait()?.is_some() {
            // Gone already is as good.
            let _ = bottle.kill();
            return Err("the idle bottle did not start".into());
        }
        sleep(Duration::from_millis(20));
    }
    sleep(SETTLING);
    Ok(bottle)
}

/// A directory and what lies in it: one mapped id sees only its own files.
fn give(directory: &Path, user: &Account) -> Result<(), Failure> {
    lchown(directory, Some(user.uid), Some(user.gid))?;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            give(&entry.path(), user)?;
        } else {
            lchown(entry.path(), Some(user.uid), Some(user.gid))?;
        }
    }
    Ok(())
}
