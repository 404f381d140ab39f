//! What becomes of a run whose log its owner removes, renames, replaces, cuts or opens, or gives to another run? What is not in that log is denied.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::Signal;

use crate::running::Running;
use crate::scene::Scene;
use crate::world::{ALLOW_ECHO, Said, entries, said, text};

/// Connects without end, and says how each connection went.
const CONNECTING: &str = "while :; do exec 3<>/dev/tcp/web.lab.example/7; echo token >&3; \
                          read -r line <&3 && echo served || { echo denied; sleep 0.1; }; done 2>/dev/null";

fn old(log: &Path) -> PathBuf {
    log.with_extension("old")
}

fn cut(log: &Path) {
    let file = File::options().write(true).open(log).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
}

fn add(log: &Path) {
    File::options().append(true).open(log).unwrap().write_all(b"{}\n").unwrap();
}

fn move_away(log: &Path) {
    fs::rename(log, old(log)).unwrap();
}

/// What an owner can do to a log, and whether what was written is still as it was, wherever.
type Act = (&'static str, fn(&Path), bool);

const ACTS: [Act; 6] = [
    ("removed", |log| fs::remove_file(log).unwrap(), true),
    ("renamed", move_away, true),
    (
        "replaced by a link",
        |log| {
            move_away(log);
            symlink(old(log), log).unwrap();
        },
        true,
    ),
    (
        "replaced by its copy",
        |log| {
            move_away(log);
            fs::copy(old(log), log).unwrap();
        },
        true,
    ),
    ("cut", cut, false),
    ("written to", add, false),
];

/// Waits until connections are denied, and sees that they stay so.
fn denied_for_good(mut running: Running, what: &str) -> Said {
    while running.line() == "served" {}
    assert_eq!([running.line(), running.line()], ["denied", "denied"], "{what}");
    running.signal(Signal::TERM);
    let ended = running.end();
    assert_eq!(ended.code, 125, "{what}: {ended:?}");
    let told = ended.err.matches("the audit log cannot be written, so everything is denied from now on").count();
    assert_eq!(told, 1, "{what}: {ended:?}");
    ended
}

#[test]
fn a_log_that_is_taken_away_or_changed_while_it_is_written_denies_from_then_on() {
    for (what, act, is_kept) in ACTS {
        let mut scene = Scene::new();
        let mut running = scene.start(&["host", "--", "bash", "-c", CONNECTING]);
        assert_eq!(running.line(), "served", "{what}");
        let log = scene.audit();
        let mut written = File::open(&log).unwrap();
        act(&log);
        let ended = denied_for_good(running, what);
        let why = if is_kept { "was removed, renamed or replaced" } else { "was changed by somebody else" };
        assert!(ended.err.contains(why), "{what}: {ended:?}");
        if !is_kept {
            scene.aftermath.assert_gone(what);
            let next = said(&mut scene.world.bottle(&["run", "--audit", text(&log), "host", "--", "true"]));
            // Where the writer had written nothing behind the cut before it looked, the log is torn there, and nothing else.
            let is_torn = |entry: &serde_json::Value| entry["kind"] == "torn";
            let is_gone_on_with = what == "cut" && next.code == 0 && entries(&log).iter().any(is_torn);
            assert!(is_gone_on_with || next.refused().contains("can't be continued"), "{what}: {next:?}");
            continue;
        }
        // Put back: whatever arrived is in the file that was written, which can be gone on with.
        let mut bytes = Vec::new();
        written.read_to_end(&mut bytes).unwrap();
        let _ = fs::remove_file(&log);
        let mut back = File::options().write(true).create_new(true).mode(0o600).open(&log).unwrap();
        back.write_all(&bytes).unwrap();
        scene.assert_clean(what);
    }
}

#[test]
fn a_log_that_is_opened_to_others_while_it_is_written_is_gone_on_with_and_begun_no_more() {
    let mut scene = Scene::new();
    let mut running = scene.start(&["host", "--", "bash", "-c", CONNECTING]);
    assert_eq!(running.line(), "served");
    let log = scene.audit();
    fs::set_permissions(&log, Permissions::from_mode(0o644)).unwrap();
    (0..3).for_each(|_| assert_eq!(running.line(), "served"));
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, 143);
    let next = said(&mut scene.world.bottle(&["run", "--audit", text(&log), "host", "--", "true"]));
    assert!(next.refused().contains("is mode 0644, and not closed to others"), "{next:?}");
    assert!(next.err.contains("hint: chmod 600"), "{next:?}");
    fs::set_permissions(&log, Permissions::from_mode(0o600)).unwrap();
    scene.assert_clean("a log that was opened to others");
}

#[test]
fn whoever_reads_a_log_that_is_taken_away_or_changed_is_told_and_never_left_waiting() {
    for (what, act, _) in ACTS {
        let scene = Scene::new();
        let mut command = scene.world.bottle(&["run"]);
        command.args(ALLOW_ECHO).args(["host", "--", "bash", "-c", CONNECTING]);
        let mut running = Running::start(command);
        assert_eq!(running.line(), "served", "{what}");
        let runs = scene.world.path("state/data/runs");
        let run = fs::read_dir(runs).unwrap().next().unwrap().unwrap().path();
        let (log, id) = (run.join("audit.jsonl"), run.file_name().unwrap().to_str().unwrap().to_owned());
        let ask = |words: &[&str]| {
            let mut command = scene.world.program("timeout");
            command.args(["60", crate::world::BOTTLE]).args(words);
            command
        };
        let mut following = ask(&["audit", "tail", text(&log)]).stdout(Stdio::piped()).spawn().unwrap();
        let mut followed = BufReader::new(following.stdout.take().unwrap()).lines();
        assert!(followed.next().is_some_and(|line| line.is_ok()), "{what}");
        act(&log);
        let asked = |words: &[&str]| {
            let said = said(&mut ask(words));
            assert!(said.code != 124 && said.code != 101, "{what}, {words:?}: {said:?}");
            said
        };
        let export = scene.world.path("export.json");
        for words in [&["audit", "verify", text(&log)][..], &["audit", "export", &id, "--output", text(&export)]] {
            let said = asked(words);
            // Of a log that is whole up to where it is written, or torn there, a reader can't know more than that.
            let seen = |words: &[&str]| words.iter().any(|words| said.err.contains(words));
            let is_told = match what {
                "removed" | "renamed" => seen(&["No such file"]),
                "written to" => seen(&["not the expected form"]),
                // It is cut anywhere, and a last line may come behind that.
                "cut" => seen(&["line "]),
                _ => seen(&["is incomplete"]),
            };
            assert!(is_told, "{what}, {words:?}: {said:?}");
        }
        asked(&["audit", "show", text(&log)]);
        asked(&["audit", "prune", "--older-than", "0s"]);
        assert!(run.exists(), "{what}: the evidence of a run that lives was pruned");
        denied_for_good(running, what);
        followed.for_each(drop);
        let status = following.wait().unwrap();
        assert!(status.code().is_some_and(|code| code < 3), "{what}: {status:?}");
        scene.aftermath.assert_gone(what);
    }
}

#[test]
fn of_bottles_that_are_told_one_log_at_once_each_has_it_alone_or_is_refused() {
    let mut scene = Scene::new();
    scene.begin();
    let options = scene.options();
    let words: Vec<&str> = options.iter().map(String::as_str).chain(["host", "--", "true"]).collect();
    let all: Vec<Running> = (0..6).map(|_| Running::start(scene.world.bottle(&words))).collect();
    let ended: Vec<Said> = all.into_iter().map(Running::end).collect();
    let ran = ended.iter().filter(|said| said.code == 0).count();
    for said in ended.iter().filter(|said| said.code != 0) {
        let why = said.refused();
        assert!(why.contains("another run writes the audit log") && said.err.contains("hint: "), "{said:?}");
    }
    let of = |kind: &str| entries(&scene.audit()).iter().filter(|entry| entry["kind"] == kind).count();
    assert!(ran > 0 && (of("run.start"), of("run.end"), of("torn")) == (ran, ran, 0), "{ran} ran: {ended:?}");
    said(&mut scene.world.bottle(&["audit", "verify", text(&scene.audit())])).ok();
}
