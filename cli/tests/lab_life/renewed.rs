//! Can a bottle that runs be attested again, and is it left alone by that whatever runs in it?

#[path = "../../../evidence/tests/json_schema/mod.rs"]
mod json_schema;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use bottle_evidence::sha256;
use json_schema::Schema;
use serde_json::Value;

use crate::detached::Detached;
use crate::world::{ALLOW_ECHO, Said, World, said, text};

/// A nonce of these digits.
pub fn nonce(digit: &str) -> String {
    digit.repeat(64)
}

pub fn renew(world: &World, bottle: &Detached<'_>, nonce: &str) -> Said {
    said(&mut world.bottle(&["attest", "renew", &bottle.id, "--nonce", nonce]))
}

/// A new attestation, in a file.
pub fn renewed(world: &World, bottle: &Detached<'_>, nonce: &str) -> PathBuf {
    let path = world.path(&format!("renewed-{nonce}.json"));
    let mut command = world.bottle(&["attest", "renew", &bottle.id, "--nonce", nonce, "--attestation"]);
    assert_eq!(said(command.arg(&path)).ok(), "");
    path
}

/// What the file of an attestation says.
pub fn statement(world: &World, path: &Path) -> Value {
    serde_json::from_str(said(&mut world.bottle(&["attest", "show", "--json", text(path)])).ok()).unwrap()
}

fn verify(world: &World, path: &Path, options: &[&str]) -> Said {
    said(world.bottle(&["attest", "verify", text(path)]).args(options))
}

pub fn entries(bottle: &Detached<'_>, kind: &str) -> Vec<Value> {
    let seen = bottle.inspect();
    let all = crate::world::entries(Path::new(seen["audit"].as_str().unwrap()));
    all.into_iter().filter(|entry| entry["kind"] == kind).collect()
}

pub fn waiting(world: &World) -> Detached<'_> {
    let bottle = Detached::shell(world, "echo ready; sleep 1000; :");
    bottle.wait_for("ready");
    bottle
}

#[test]
fn a_verifiers_nonce_is_answered_by_a_bottle_that_runs() {
    let world = World::new();
    let bottle = waiting(&world);
    let (one, other) = (nonce("a"), nonce("b"));
    let path = renewed(&world, &bottle, &one);
    let verified = verify(&world, &path, &["--nonce", &one, "--mode", "enforce", "--max-age", "10m"]);
    assert!(verified.ok().contains("while it ran"), "{verified:?}");
    assert_eq!(verify(&world, &path, &["--nonce", &other]).code, 17);
    let said_of_start = statement(&world, Path::new(bottle.inspect()["attestation"].as_str().unwrap()));
    let now = statement(&world, &path);
    assert_eq!(
        (&said_of_start["predicate"]["stage"], &now["predicate"]["stage"]),
        (&"start".into(), &"running".into())
    );
    let subjects = |said: &Value| said["subject"].as_array().unwrap()[1..].to_vec();
    assert_eq!(subjects(&said_of_start), subjects(&now));
    assert_eq!(said_of_start["subject"][0]["name"], now["subject"][0]["name"]);
    // What was measured once is what is measured now, with other words only where something else is meant.
    let facts = |statement: &Value, name: &str| statement["predicate"]["facts"][name]["value"].clone();
    for side in ["agent", "gate"] {
        for what in
            ["namespace", "links", "addresses", "routes", "rules", "neighbours", "sysctls", "ruleset", "listeners"]
        {
            let name = format!("{side}.{what}");
            assert_eq!(facts(&said_of_start, &name), facts(&now, &name), "{name}");
        }
    }
    for name in ["host.boot-id", "workload.identity", "workload.command", "workload.files", "bottle.version"] {
        assert_eq!(facts(&said_of_start, name), facts(&now, name), "{name}");
    }
    for who in ["workload", "init", "gate", "dialler"] {
        for part in
            ["uids", "gids", "capabilities", "no_new_privs", "seccomp", "seccomp_filters", "namespaces", "uid_map"]
        {
            let name = format!("{who}.process");
            assert_eq!(facts(&said_of_start, &name)[part], facts(&now, &name)[part], "{name} {part}");
        }
    }
    // bash and sleep beside init.
    assert_eq!(facts(&now, "agent.processes")["count"], 3);
    assert_eq!(facts(&now, "workload.members")["processes"], 2);
    assert!(facts(&now, "workload.executable")["path"].as_str().unwrap().ends_with("bash"));
    assert_eq!(now["predicate"]["probes"].as_array().unwrap().len(), 1);
}

#[test]
fn it_is_in_the_log_before_it_is_handed_over_and_the_log_links_both() {
    let world = World::new();
    let bottle = waiting(&world);
    let first = renewed(&world, &bottle, &nonce("1"));
    let entry = entries(&bottle, "run.renew").remove(0);
    let bytes = std::fs::read(&first).unwrap();
    assert_eq!(entry["attestation"], serde_json::to_value(sha256(&bytes)).unwrap());
    assert_eq!(entry["nonce"], nonce("1"));
    let printed = renew(&world, &bottle, &nonce("2"));
    let second = world.path("printed.json");
    std::fs::write(&second, printed.ok()).unwrap();
    assert_eq!(entries(&bottle, "run.renew").len(), 2);
    // The last one is kept with the run's evidence.
    let seen = bottle.inspect();
    let evidence = Path::new(seen["audit"].as_str().unwrap()).with_file_name("renewed.json");
    assert_eq!(std::fs::read(evidence).unwrap(), std::fs::read(&second).unwrap());
    said(&mut world.bottle(&["stop", "-t", "0", &bottle.id])).ok();
    let audit = seen["audit"].as_str().unwrap();
    let start = seen["attestation"].as_str().unwrap();
    for attestation in [start, text(&first), text(&second)] {
        said(&mut world.bottle(&["audit", "verify", audit, "--attestation", attestation])).ok();
    }
    let shown = said(&mut world.bottle(&["audit", "show", audit]));
    assert!(shown.ok().contains("run.renew   attested again as "), "{shown:?}");
    // Nothing of it is an attempt of the workload's.
    let all = crate::world::entries(Path::new(audit));
    assert!(!all.iter().any(|entry| ["decision", "dns.denied", "refused"].contains(&entry["kind"].as_str().unwrap())));
    let mut refused = all.iter().find(|entry| entry["kind"] == "run.end").unwrap()["refused"].clone();
    // The gate was asked each time, from inside.
    let renewals = all.iter().filter(|entry| entry["kind"] == "run.renew").count();
    for counted in ["opened", "answered"] {
        assert_eq!(refused.as_object_mut().unwrap().remove(counted).unwrap(), renewals, "{counted}");
    }
    assert!(refused.as_object().unwrap().values().all(|count| count == 0), "{refused}");
}

#[test]
fn what_cannot_be_attested_is_said_and_nothing_is_printed() {
    let world = World::new();
    let misused = said(&mut world.bottle(&["attest", "renew", "nobody", "--nonce", &nonce("0")]));
    assert_eq!((misused.code, misused.out.as_str()), (1, ""), "{misused:?}");
    let bottle = waiting(&world);
    let short = renew(&world, &bottle, "abc");
    assert_eq!((short.code, short.out.as_str()), (2, ""), "{short:?}");
    let nowhere = world.path("missing/attestation.json");
    let mut command = world.bottle(&["attest", "renew", &bottle.id, "--nonce", &nonce("0"), "--attestation"]);
    let unwritten = said(command.arg(&nowhere));
    assert!(unwritten.code == 2 && unwritten.err.contains("cannot write the attestation"), "{unwritten:?}");
    said(&mut world.bottle(&["stop", "-t", "0", &bottle.id])).ok();
    let ended = renew(&world, &bottle, &nonce("0"));
    assert!(ended.code == 1 && ended.err.contains("has ended"), "{ended:?}");
}

/// Processes that fork without end, threads that come and go, connections, executed programs: none for long.
const RESTLESS: &str = "
(while :; do /bin/true & (exit 3) & wait; done) &
(while :; do bash -c 'bash -c : & exec /bin/true' ; done) &
python3 -c '
import threading, os, time
while True:
    threads = [threading.Thread(target=lambda: os.getpid()) for _ in range(20)]
    [t.start() for t in threads]; [t.join() for t in threads]
    if os.fork() == 0: os._exit(0)
    os.wait()
' &
(while :; do curl -s -m 1 http://28.0.0.99/ ; done) &
echo ready; wait";

#[test]
fn a_bottle_full_of_processes_that_come_and_go_is_measured_again_and_again_and_left_alone() {
    const RENEWALS: usize = 12;
    let world = World::new();
    let bottle = Detached::shell(&world, RESTLESS);
    bottle.wait_for("ready");
    let mut others: Vec<_> = (0..2)
        .map(|_| {
            let mut exec = world.bottle(&[
                "exec",
                &bottle.id,
                "--",
                "bash",
                "-c",
                "for i in {1..200}; do (:) & wait; done; sleep 1000",
            ]);
            exec.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for number in 0..RENEWALS {
        let nonce = format!("{number:064x}");
        let attested = renew(&world, &bottle, &nonce);
        attested.ok();
        // Processes enter and leave between two measurements, and while one goes on.
        said(&mut world.bottle(&["exec", &bottle.id, "--", "true"])).ok();
    }
    for other in &mut others {
        other.kill().unwrap();
        other.wait().unwrap();
    }
    assert_eq!(bottle.inspect()["state"], "running");
    assert_eq!(entries(&bottle, "drift"), Vec::<Value>::new());
    assert_eq!(entries(&bottle, "run.renew").len(), RENEWALS);
}

#[test]
fn several_who_ask_at_once_are_all_answered_with_their_own_nonce() {
    let world = World::new();
    let bottle = waiting(&world);
    let nonces: Vec<String> = (0..6).map(|number| format!("{number:064x}")).collect();
    std::thread::scope(|scope| {
        for nonce in &nonces {
            let (world, bottle) = (&world, &bottle);
            scope.spawn(move || {
                let path = renewed(world, bottle, nonce);
                verify(world, &path, &["--nonce", nonce]).ok();
                std::fs::remove_file(path).unwrap();
            });
        }
    });
    assert_eq!(entries(&bottle, "run.renew").len(), nonces.len());
}

#[test]
fn an_export_has_the_attestation_of_the_start_and_the_last_one_since() {
    let world = World::new();
    let bottle = waiting(&world);
    for digit in ["a", "b"] {
        renewed(&world, &bottle, &nonce(digit));
    }
    said(&mut world.bottle(&["stop", "-t", "0", &bottle.id])).ok();
    let file = world.path("export.json");
    said(&mut world.bottle(&["audit", "export", &bottle.id, "-o", text(&file)])).ok();
    let verified = said(&mut world.bottle(&["audit", "verify", "--json", text(&file)]));
    let verified: Value = serde_json::from_str(verified.ok()).unwrap();
    let (first, last) = (&verified["export"]["attestation"], &verified["export"]["renewed"]);
    assert_eq!((&first["predicate"]["stage"], &last["predicate"]["stage"]), (&"start".into(), &"running".into()));
    assert_eq!(last["predicate"]["nonce"], nonce("b"));
}

/// More than it hears at once.
#[test]
fn of_a_crowd_that_asks_at_once_some_are_answered_and_the_others_told_to_try_again() {
    let world = World::new();
    let bottle = waiting(&world);
    let ask = |number: u32| {
        let nonce = format!("{number:064x}");
        let mut command = world.bottle(&["attest", "renew", &bottle.id, "--nonce", &nonce]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let crowd: Vec<Child> = (0..150).map(ask).collect();
    let said: Vec<Said> = crowd.into_iter().map(|child| Said::from(child.wait_with_output().unwrap())).collect();
    let (answered, others): (Vec<&Said>, Vec<&Said>) = said.iter().partition(|said| said.code == 0);
    for said in others {
        let words = ["hung up: too many ask it at once", "try again in a moment"];
        assert!(said.code == 1 && words.iter().all(|word| said.err.contains(word)), "{said:?}");
    }
    assert!(!answered.is_empty());
    assert_eq!(entries(&bottle, "run.renew").len(), answered.len());
    assert_eq!(bottle.inspect()["state"], "running");
}

/// As `run` refuses it.
#[test]
fn what_is_no_attestation_is_not_replaced_by_one() {
    let world = World::new();
    let bottle = waiting(&world);
    let (fifo, notes) = (world.path("fifo"), world.path("notes"));
    said(world.program("mkfifo").arg(&fifo)).ok();
    std::fs::write(&notes, "mine").unwrap();
    for path in [&fifo, &notes] {
        let refused =
            said(world.bottle(&["attest", "renew", &bottle.id, "--nonce", &nonce("0"), "--attestation"]).arg(path));
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.err.contains("hint: only an empty file or an older attestation is replaced"), "{refused:?}");
    }
    assert_eq!(std::fs::read_to_string(&notes).unwrap(), "mine");
    assert!(!std::fs::symlink_metadata(&fifo).unwrap().is_file());
    assert_eq!(entries(&bottle, "run.renew"), Vec::<Value>::new());
}

#[test]
fn what_is_published_is_measured_again_where_it_listens() {
    let world = World::new();
    let bottle = Detached::start(&world, &["-p", "8080:8000", "host", "--", "sh", "-c", "echo ready; sleep 1000; :"]);
    bottle.wait_for("ready");
    let now = statement(&world, &renewed(&world, &bottle, &nonce("8")));
    let start = statement(&world, Path::new(bottle.inspect()["attestation"].as_str().unwrap()));
    let published = |statement: &Value| statement["predicate"]["facts"]["supervisor.published"]["value"].clone();
    assert_eq!(published(&now).as_array().unwrap().len(), 2);
    assert_eq!(published(&now), published(&start));
}

#[test]
fn a_program_that_lets_nobody_look_into_it_is_measured_all_the_same() {
    const HIDDEN: &str = "
import ctypes, os, time
libc = ctypes.CDLL(None)
assert libc.prctl(4, 0, 0, 0, 0) == 0
if os.fork() == 0:
    time.sleep(1000)
print('ready', flush=True)
time.sleep(1000)
";
    let world = World::new();
    let bottle = Detached::start(&world, &["host", "--", "python3", "-c", HIDDEN]);
    bottle.wait_for("ready");
    let now = statement(&world, &renewed(&world, &bottle, &nonce("9")));
    assert_eq!(now["predicate"]["facts"]["workload.members"]["value"]["processes"], 2);
}

#[test]
fn an_attestation_is_of_the_bottle_that_runs_or_refused_by_name() {
    let world = World::new();
    let [one, other] = [waiting(&world), waiting(&world)];
    let of = |bottle: &Detached<'_>| PathBuf::from(bottle.inspect()["attestation"].as_str().unwrap());
    let renewed = renewed(&world, &one, &nonce("d"));
    for attestation in [&of(&one), &renewed] {
        let verified = verify(&world, attestation, &["--running", &one.id]);
        assert!(verified.ok().contains("as expected: the bottle that runs"), "{verified:?}");
        let replayed = verify(&world, attestation, &["--running", &other.id]);
        assert!(replayed.code == 22 && replayed.err.contains("OtherNamespace"), "{replayed:?}");
    }
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    verify(&world, &renewed, &["--boot-id", boot.trim()]).ok();
    let elsewhere = "0b5f3a52-7f2e-4c11-9d57-0c2a8f3ce7f1";
    assert_eq!(verify(&world, &renewed, &["--boot-id", elsewhere]).code, 21);
    assert_eq!(verify(&world, &renewed, &["--boot-id", elsewhere, "--running", &one.id]).code, 21);
    assert_eq!(verify(&world, &renewed, &["--boot-id", "here"]).code, 2);
    said(&mut world.bottle(&["stop", "-t", "0", &one.id])).ok();
    let ended = verify(&world, &renewed, &["--running", &one.id]);
    assert!(ended.code == 2 && ended.err.contains("does not run"), "{ended:?}");
}

/// What is bottle's word only is what docs/attestation.md says is; everything else was read from the kernel.
#[test]
fn each_fact_is_shown_with_why_it_may_be_believed_and_how_it_was_had() {
    const WORD: [&str; 7] = [
        "bottle.version",
        "dialler.seccomp-program",
        "gate.seccomp-program",
        "init.seccomp-program",
        "workload.command",
        "workload.files",
        "workload.seccomp-program",
    ];
    let world = World::new();
    let bottle = waiting(&world);
    let start = PathBuf::from(bottle.inspect()["attestation"].as_str().unwrap());
    for path in [start, renewed(&world, &bottle, &nonce("f"))] {
        let shown = said(&mut world.bottle(&["attest", "show", text(&path)]));
        let lines: Vec<&str> = shown.ok().lines().collect();
        let said = statement(&world, &path);
        for (name, fact) in said["predicate"]["facts"].as_object().unwrap() {
            let (basis, word) = match name.as_str() {
                "workload.landlock" => ("behavioural", "probed"),
                name if WORD.contains(&name) => ("asserted", "asserted"),
                _ => ("measured", "measured"),
            };
            assert_eq!(fact["basis"], basis, "{name}");
            let at = lines.iter().position(|line| line.starts_with(&format!("{word:<12} {name} ")));
            let how = fact["how"].as_str().unwrap();
            assert!(!how.is_empty() && !how.ends_with(']'), "{name}: {how} was cut");
            assert_eq!(lines[at.unwrap_or_else(|| panic!("{name} is not shown")) + 1].trim(), format!("by: {how}"));
        }
    }
}

/// What it does is refused in every way, and allowed once.
const BUSY: &str = "exec 3<>/dev/tcp/web.lab.example/7
(echo > /dev/tcp/11.6.6.6/9); (echo > /dev/udp/9.9.9.9/9); getent hosts evil.lab.example
echo ready; sleep 1000; :";

#[test]
fn what_a_bottle_writes_fits_the_schemas_that_are_beside_the_documents() {
    let world = World::new();
    let bottle = Detached::start(&world, &[ALLOW_ECHO[0], ALLOW_ECHO[1], "host", "--", "bash", "-c", BUSY]);
    bottle.wait_for("ready");
    let now = renewed(&world, &bottle, &nonce("e"));
    said(&mut world.bottle(&["exec", &bottle.id, "--", "true"])).ok();
    said(&mut world.bottle(&["stop", "-t", "0", &bottle.id])).ok();
    let seen = bottle.inspect();
    let predicate = Schema::new(include_str!("../../../docs/attestation.schema.json"));
    for path in [PathBuf::from(seen["attestation"].as_str().unwrap()), now] {
        let mut said = statement(&world, &path)["predicate"].take();
        assert!(predicate.fits(&said), "{said:#}");
        said["facts"].as_object_mut().unwrap().remove("gate.ruleset");
        assert!(!predicate.fits(&said), "the control");
    }
    let line = Schema::new(include_str!("../../../docs/audit.schema.json"));
    let log = crate::world::entries(Path::new(seen["audit"].as_str().unwrap()));
    for mut entry in log.clone() {
        assert!(line.fits(&entry), "{entry:#}");
        entry["more"] = true.into();
        assert!(!line.fits(&entry), "the control");
    }
    let kinds: BTreeSet<&str> = log.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    let expected =
        ["decision", "dns.denied", "outcome", "refused", "run.end", "run.exec", "run.renew", "run.start", "seal"];
    assert_eq!(kinds, BTreeSet::from(expected));
}
