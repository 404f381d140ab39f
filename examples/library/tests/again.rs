//! Can a program run one bottle after another, and two at once, and is it itself again when they have ended?
//!
//! It is a program of its own, since what it runs is executed from it again.

use std::fs;
use std::path::Path;
use std::thread;

use bottle_runtime::{Bottle, Caller, Event, Status, dispatch, run};

fn main() {
    dispatch();
    bottle_lab::require();
    let place = tempfile::tempdir().expect("a directory");
    let project = place.path().join("project");
    fs::create_dir(&project).expect("a directory");
    std::env::set_current_dir(&project).expect("the directory");

    let before = signals_taken();
    for _ in 0..2 {
        assert_eq!(told_to_end(place.path(), &project), Status::Exited(9));
        assert_eq!(signals_taken(), before, "signals are not what they were");
    }
    let both = [1, 2]
        .map(|code| thread::spawn(move || Bottle::host().output(["sh", "-c", &format!("echo {code}; exit {code}")])));
    let both = both.map(|one| one.join().expect("a run").expect("an outcome"));
    assert_eq!(both.map(|one| (one.outcome.status.code(), one.stdout)), [(1, b"1\n".to_vec()), (2, b"2\n".to_vec())]);
    assert_eq!(signals_taken(), before, "signals are not what they were");
    println!("test result: ok. 1 passed; 0 failed; 0 ignored");
}

/// Which signals are ignored and which have a handler, bit by bit; without the real-time ones, which the C library uses.
fn signals_taken() -> Vec<u64> {
    let status = fs::read_to_string("/proc/self/status").expect("this process's state");
    let masks = status.lines().filter_map(|line| line.strip_prefix("SigIgn:").or_else(|| line.strip_prefix("SigCgt:")));
    masks.map(|mask| u64::from_str_radix(mask.trim(), 16).expect("a mask") & 0x7fff_ffff).collect()
}

/// A command that is told to end by a signal to this program, as soon as it listens.
fn told_to_end(place: &Path, project: &Path) -> Status {
    let ready = project.join("ready");
    let _ = fs::remove_file(&ready);
    let caller = Caller::current().expect("a working directory");
    let script = "trap 'exit 9' TERM; touch ready; while :; do sleep 0.02; done";
    let mut options = Bottle::host().options(["sh", "-c", script], &caller).expect("options");
    options.audit = Some(place.join("audit.jsonl"));
    let tell = move |event| {
        if let Event::Running { .. } = event {
            while !ready.exists() {
                thread::yield_now();
            }
            std::process::Command::new("kill").arg(std::process::id().to_string()).status().expect("kill");
        }
    };
    run(options, &caller, tell).expect("an outcome").status
}
