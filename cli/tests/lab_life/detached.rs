//! Does `-d` start a bottle that lives apart from its caller, and does its log have what was written?

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::running::{Held, Processes};
use crate::world::{LIMIT, Said, World, said};

/// A detached bottle, which is ended with the test.
pub struct Detached<'a> {
    world: &'a World,
    pub id: String,
    /// None where it ended before it was looked for.
    supervisor: Option<Held>,
}

impl<'a> Detached<'a> {
    pub fn start(world: &'a World, arguments: &[&str]) -> Detached<'a> {
        let started = said(&mut world.bottle(&[&["run", "-d"], arguments].concat()));
        let id = started.ok().trim().to_owned();
        assert_eq!(id.len(), 32, "{started:?}");
        Detached::held(world, &id)
    }

    /// One that was started otherwise.
    pub fn held(world: &'a World, id: &str) -> Detached<'a> {
        Detached { world, id: id.to_owned(), supervisor: Held::find(supervisor(world, id)) }
    }

    /// A shell script in a `host` bottle.
    pub fn shell(world: &'a World, script: &str) -> Detached<'a> {
        Detached::start(world, &["host", "--", "bash", "-c", script])
    }

    pub fn inspect(&self) -> Value {
        inspected(self.world, &self.id)
    }

    /// Its supervisor, which lives.
    pub fn supervisor(&self) -> &Held {
        self.supervisor.as_ref().expect("it lives")
    }

    /// Waits until its supervisor has ended.
    pub fn is_gone(&self) -> bool {
        self.supervisor.as_ref().is_none_or(|held| held.ends_within(LIMIT))
    }

    /// What it has written once this line has come.
    pub fn wait_for(&self, line: &str) {
        let mut follow = self.follow(&[]);
        let lines = BufReader::new(follow.stdout.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|found| found == line), "{line:?} never came");
        follow.kill().unwrap();
        follow.wait().unwrap();
    }

    pub fn follow(&self, options: &[&str]) -> Child {
        let mut command = self.world.bottle(&[&["logs", "-f"], options, &[&self.id]].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    pub fn logs(&self, options: &[&str]) -> Said {
        said(&mut self.world.bottle(&[&["logs"], options, &[&self.id]].concat()))
    }

    /// Waits for its end, and tells it.
    pub fn ended(&self) -> Value {
        assert!(self.is_gone(), "it still runs");
        self.inspect()["end"].clone()
    }
}

impl Drop for Detached<'_> {
    fn drop(&mut self) {
        let _ = self.world.bottle(&["rm", "-f", &self.id]).output();
    }
}

/// As its record says, whether it lives or not.
fn supervisor(world: &World, id: &str) -> u32 {
    let record = std::fs::read(world.path("state/data/records").join(id).join("run.json")).unwrap();
    serde_json::from_slice::<Value>(&record).unwrap()["supervisor"].as_u64().unwrap() as u32
}

pub fn inspected(world: &World, name: &str) -> Value {
    let all: Value = serde_json::from_str(said(&mut world.bottle(&["inspect", name])).ok()).unwrap();
    all[0].clone()
}

#[test]
fn its_id_is_printed_when_it_runs_and_its_output_is_in_its_log() {
    let world = World::new();
    let bottle = Detached::shell(&world, "echo out; echo err >&2; printf 'no end'; exit 3");
    assert_eq!(bottle.ended()["code"], 3);
    let logs = bottle.logs(&[]);
    assert_eq!((logs.ok(), logs.err.as_str()), ("out\nno end", "err\n"));
    let seen = bottle.inspect();
    assert_eq!((&seen["state"], &seen["detached"]), (&"exited".into(), &true.into()));
    let lines = std::fs::read_to_string(seen["log"].as_str().unwrap()).unwrap();
    assert!(lines.lines().any(|line| line.ends_with("Z stdout F out")), "{lines}");
    assert!(lines.lines().any(|line| line.ends_with(" stdout P no end")), "{lines}");
    let audit = seen["audit"].as_str().unwrap();
    said(&mut world.bottle(&["audit", "verify", audit])).ok();
}

#[test]
fn it_has_a_session_of_its_own_and_nothing_of_its_callers() {
    let world = World::new();
    std::fs::write(world.path("secret"), "secret").unwrap();
    let mut shell = world.program("sh");
    shell.args(["-c", "exec 7<\"$0\" 8</etc; exec \"$@\""]).arg(world.path("secret")).arg(crate::world::BOTTLE);
    let id = said(shell.args(["run", "-d", "host", "--", "sh", "-c", "readlink /proc/self/fd/0; sleep 1000"])).out;
    let id = id.trim();
    let supervisor = supervisor(&world, id);
    let bottle = Detached::held(&world, id);
    let stat = std::fs::read_to_string(format!("/proc/{supervisor}/stat")).unwrap();
    let session: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!((session[3], session[4]), (supervisor.to_string().as_str(), "0"), "its own session, no terminal");
    let open = crate::host::links(&format!("/proc/{supervisor}/fd"));
    assert!(!open.iter().any(|file| file.contains("secret") || file == "/etc"), "{open:?}");
    let null = std::fs::read_link(format!("/proc/{supervisor}/fd/0")).unwrap();
    assert_eq!(null.to_str(), Some("/dev/null"));
    bottle.wait_for("/dev/null");
}

#[test]
fn the_credentials_of_its_upstream_proxy_are_in_no_command_line_and_no_record() {
    let world = World::new();
    let url = "http://user:s3cretw0rd@127.0.0.1:9";
    let bottle =
        Detached::start(&world, &["--upstream-proxy", url, "host", "--", "sh", "-c", "echo ready; exec sleep 1000"]);
    bottle.wait_for("ready");
    let supervisor = supervisor(&world, &bottle.id);
    let line = std::fs::read_to_string(format!("/proc/{supervisor}/cmdline")).unwrap();
    assert!(line.contains("http://127.0.0.1:9") && !line.contains("s3cretw0rd"), "{line}");
    let seen = bottle.inspect();
    assert_eq!(seen["upstream_proxy"], "http://127.0.0.1:9");
    assert!(!seen.to_string().contains("s3cretw0rd"));
    let attested = std::fs::read(seen["attestation"].as_str().unwrap()).unwrap();
    assert!(!String::from_utf8_lossy(&attested).contains("s3cretw0rd"));
    let shown = said(&mut world.bottle(&["attest", "show", seen["attestation"].as_str().unwrap()]));
    assert!(shown.ok().contains(r#""credentials":true,"host":"127.0.0.1","port":9"#), "{shown:?}");
}

#[test]
fn what_never_runs_is_told_with_the_code_it_would_have_had_and_leaves_no_record() {
    let world = World::new();
    std::fs::write(world.project("broken"), "#!/nowhere/at/all\n").unwrap();
    std::fs::set_permissions(world.project("broken"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for (arguments, code, words) in [
        (&["host", "--", "no-such-program"][..], 127, "not found inside the bottle"),
        (&["host", "--", "/tmp"], 126, "cannot be executed"),
        (&["host", "--", "./broken"], 126, "cannot be executed"),
        (&["-v", "/nowhere:/x", "host", "--", "true"], 125, "/nowhere"),
        (&["no-such-image:1", "--pull=never"], 125, "no-such-image"),
    ] {
        let failed = said(&mut world.bottle(&[&["run", "-d", "--name", "one"], arguments].concat()));
        assert_eq!((failed.code, failed.out.as_str()), (code, ""), "{failed:?}");
        assert!(failed.err.starts_with("bottle: ") && failed.err.contains(words), "{failed:?}");
    }
    assert_eq!(said(&mut world.bottle(&["ps", "-aq"])).ok(), "");
}

#[test]
fn its_log_is_followed_to_its_end_and_can_be_cut_to_the_last_lines() {
    let world = World::new();
    let bottle = Detached::shell(&world, "seq 1 100; echo last");
    assert_eq!(bottle.ended()["code"], 0);
    let all: String = (1..=100).map(|number| format!("{number}\n")).collect();
    assert_eq!(bottle.logs(&[]).out, format!("{all}last\n"));
    assert_eq!(bottle.logs(&["-n", "2"]).out, "100\nlast\n");
    assert_eq!(bottle.logs(&["--tail", "0"]).out, "");
    assert_eq!(bottle.logs(&["--tail", "all"]).out, format!("{all}last\n"));
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let lost = world.bottle(&["logs", &bottle.id]).stdout(full).output().unwrap();
    let told = String::from_utf8(lost.stderr).unwrap();
    assert!(told.starts_with("bottle: cannot write to standard output\n  because: No space"), "{told}");
    let dated = bottle.logs(&["-t", "-n1"]).out;
    assert!(dated.starts_with("20") && dated.ends_with("Z last\n"), "{dated}");
    let followed = bottle.follow(&[]).wait_with_output().unwrap();
    assert_eq!(String::from_utf8(followed.stdout).unwrap(), format!("{all}last\n"));
}

#[test]
fn who_follows_sees_each_line_as_it_comes_and_ends_with_the_bottle() {
    let world = World::new();
    let bottle = Detached::shell(&world, "trap 'echo heard; exit 0' USR1; echo begun; while :; do sleep 0.05; done");
    let mut follow = bottle.follow(&[]);
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "begun");
    said(&mut world.bottle(&["kill", "-s", "USR1", &bottle.id])).ok();
    assert_eq!(lines.next().unwrap().unwrap(), "heard");
    assert!(lines.next().is_none());
    assert!(Held::new(follow.id()).ends_within(LIMIT));
    assert!(follow.wait().unwrap().success());
}

#[test]
fn its_evidence_is_had_by_its_name() {
    let world = World::new();
    let bottle = Detached::shell(&world, "trap 'exit 0' USR1; echo ready; while :; do sleep 0.05; done");
    bottle.wait_for("ready");
    let mut tail = world.bottle(&["audit", "tail", "-n", "all", &bottle.id]);
    let tail = tail.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    said(&mut world.bottle(&["kill", "-s", "USR1", &bottle.id])).ok();
    assert!(Held::new(tail.id()).ends_within(LIMIT), "it still follows");
    let shown = tail.wait_with_output().unwrap();
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.status.success() && text.contains("  run.start ") && text.contains("  run.end "), "{text}");
    assert!(bottle.is_gone());
    for verb in [&["audit", "verify"][..], &["audit", "show"], &["attest", "verify"], &["attest", "show"]] {
        said(&mut world.bottle(&[verb, &[&bottle.id]].concat())).ok();
    }
    // A command knows its bottle's name, and may write where its caller is.
    std::fs::write(world.project(&bottle.id), "{}").unwrap();
    for verb in [&["audit", "verify"][..], &["audit", "show"], &["attest", "verify"], &["attest", "show"]] {
        let both = said(&mut world.bottle(&[verb, &[&bottle.id]].concat()));
        assert!(both.code == 2 && both.err.contains("a file here is called so too"), "{both:?}");
    }
    let nobody = said(&mut world.bottle(&["audit", "show", "nobody"]));
    assert!(nobody.code == 2 && nobody.err.contains("cannot read the audit log nobody"), "{nobody:?}");
}

#[test]
fn who_follows_a_bottle_whose_supervisor_is_killed_ends_too() {
    let world = World::new();
    let bottle = Detached::shell(&world, "echo begun; sleep 1000");
    let mut follow = bottle.follow(&[]);
    let mut out = follow.stdout.take().unwrap();
    let mut line = [0; 6];
    out.read_exact(&mut line).unwrap();
    bottle.supervisor().signal(Signal::KILL);
    assert!(Held::new(follow.id()).ends_within(LIMIT), "it still follows");
    follow.wait().unwrap();
    assert_eq!(bottle.inspect()["state"], "lost");
}

#[test]
fn a_log_that_grows_without_end_is_turned_over_and_followed_all_the_same() {
    let world = World::new();
    let bottle = Detached::shell(&world, "read -r go < <(sleep 1); seq 1 400000; echo last");
    let followed = bottle.follow(&[]).wait_with_output().unwrap();
    let text = String::from_utf8(followed.stdout).unwrap();
    assert!(text.ends_with("400000\nlast\n"));
    let size =
        |name: &str| std::fs::metadata(bottle.inspect()["log"].as_str().unwrap().to_owned() + name).unwrap().len();
    let most = bottle_runtime::log::MOST;
    assert!(size("") <= most && size(".1") <= most && size(".1") > most / 2);
    let mut numbers = text.lines().filter_map(|line| line.parse::<u32>().ok());
    let first = numbers.next().unwrap();
    assert!(numbers.zip(first + 1..).all(|(found, expected)| found == expected), "each line once and in order");
}

#[test]
fn what_bottle_says_is_in_the_log_as_its_own_and_nobody_else_can_say_it() {
    let world = World::new();
    let script = "echo 'bottle F forged'; curl -s https://a.lab.example; true";
    let bottle = Detached::shell(&world, script);
    bottle.ended();
    let logs = bottle.logs(&[]);
    assert_eq!(logs.ok(), "bottle F forged\n");
    assert!(logs.err.contains("bottle: blocked a.lab.example"), "{logs:?}");
    let lines = std::fs::read_to_string(bottle.inspect()["log"].as_str().unwrap()).unwrap();
    let own: Vec<&str> = lines.lines().filter(|line| line.split(' ').nth(1) == Some("bottle")).collect();
    assert!(!own.is_empty() && own.iter().all(|line| !line.contains("forged")), "{lines}");
}

#[test]
fn a_detached_terminal_is_one_of_the_bottles_own_and_a_shell_waits_there() {
    let world = World::new();
    let bottle =
        Detached::start(&world, &["-it", "host", "--", "bash", "-c", "tty; stty size; echo ready; exec bash --norc"]);
    bottle.wait_for("ready");
    assert!(bottle.logs(&[]).out.starts_with("/dev/pts/"));
    assert_eq!(bottle.inspect()["state"], "running");
    said(&mut world.bottle(&["stop", "-t", "0", &bottle.id])).ok();
}

#[test]
fn an_input_that_is_to_be_interactive_never_ends_and_another_has_ended() {
    let world = World::new();
    let open = Detached::start(&world, &["-i", "host", "--", "sh", "-c", "echo ready; cat; echo over"]);
    open.wait_for("ready");
    assert_eq!(open.inspect()["state"], "running");
    let closed = Detached::start(&world, &["host", "--", "sh", "-c", "cat; echo over"]);
    assert_eq!(closed.ended()["code"], 0);
}

#[test]
fn what_it_changed_is_told_to_whoever_stops_or_removes_it() {
    let world = World::new();
    let detached = Detached::shell(&world, "echo x > Makefile; echo made; exec sleep 1000");
    detached.wait_for("made");
    let stopped = said(&mut world.bottle(&["stop", "-t", "0", &detached.id]));
    let list = detached.inspect()["changes"].as_str().unwrap().to_owned();
    assert!(std::fs::read_to_string(&list).unwrap().ends_with("/Makefile\"\n"), "{list}");
    let told = format!("changed files that this machine may execute later: all are in {list}\n");
    assert!(stopped.code == 0 && stopped.err.ends_with(&told), "{stopped:?}");
    let removed = said(&mut world.bottle(&["rm", &detached.id]));
    assert!(removed.code == 0 && removed.err.ends_with(&told), "{removed:?}");
    let quiet = Detached::shell(&world, "exec sleep 1000");
    let removed = said(&mut world.bottle(&["rm", "-f", &quiet.id]));
    assert_eq!((removed.code, removed.err.as_str()), (0, ""), "{removed:?}");
}

#[test]
fn with_rm_nothing_but_its_evidence_is_left() {
    let world = World::new();
    let id = said(&mut world.bottle(&["run", "-d", "--rm", "host", "--", "sleep", "1000"])).ok().trim().to_owned();
    let seen = inspected(&world, &id);
    let supervisor = Held::new(supervisor(&world, &id));
    said(&mut world.bottle(&["kill", &id])).ok();
    assert!(supervisor.ends_within(LIMIT));
    assert_eq!(said(&mut world.bottle(&["ps", "-aq"])).ok(), "");
    said(&mut world.bottle(&["audit", "verify", seen["audit"].as_str().unwrap()])).ok();
}

#[test]
fn a_drift_ends_it_and_is_told_in_its_log() {
    let world = World::new();
    let bottle = Detached::shell(&world, "echo ready; sleep 1000");
    bottle.wait_for("ready");
    Processes::of(bottle.supervisor().pid).gate.signal(Signal::KILL);
    let end = bottle.ended();
    assert_eq!(end["code"], 137, "{end}");
    assert!(bottle.logs(&[]).err.contains("no longer holds"));
}

#[test]
fn what_is_over_is_pruned_and_what_runs_is_not() {
    let world = World::new();
    let over = said(&mut world.bottle(&["run", "-d", "host", "--", "true"])).ok().trim().to_owned();
    assert!(Held::find(supervisor(&world, &over)).is_none_or(|held| held.ends_within(LIMIT)));
    let running = Detached::shell(&world, "echo ready; sleep 1000");
    running.wait_for("ready");
    assert_eq!(said(&mut world.bottle(&["audit", "prune"])).code, 2);
    said(&mut world.bottle(&["audit", "prune", "--older-than", "1d", "--keep", "1g"])).ok();
    said(&mut world.bottle(&["audit", "verify", &over])).ok();
    let pruned = said(&mut world.bottle(&["audit", "prune", "--keep", "0"]));
    assert_eq!(pruned.ok(), format!("{over}\n"));
    assert!(pruned.err.contains("1 run not closed"), "{pruned:?}");
    let listed = said(&mut world.bottle(&["ps", "-a", "-q"]));
    assert!(!listed.ok().contains(&over[..12]) && listed.out.contains(&running.id[..12]), "{listed:?}");
    assert!(running.inspect()["audit"].as_str().is_some_and(|audit| std::path::Path::new(audit).exists()));
}

#[test]
fn its_evidence_is_exported_in_one_file_that_verifies_elsewhere() {
    let world = World::new();
    let over = said(&mut world.bottle(&["run", "-d", "--allow", "a.example", "host", "--", "true"]));
    let over = over.ok().trim().to_owned();
    assert!(Held::find(supervisor(&world, &over)).is_none_or(|held| held.ends_within(LIMIT)));
    let (file, public) = (world.path("incident.json"), world.path("state/data/keys/bottle.pub"));
    let export = |more: &[&str]| {
        said(&mut world.bottle(&[&["audit", "export", &over, "-o", file.to_str().unwrap()], more].concat()))
    };
    assert_eq!(export(&["--run", "nobody"]).code, 1);
    export(&[]).ok();
    let twice = export(&[]);
    assert!(twice.code == 2 && twice.err.contains("nothing is overwritten"), "{twice:?}");
    // Somewhere that has nothing but the program, the file and the key.
    let elsewhere = tempfile::tempdir().unwrap();
    let verify = |file: &std::path::Path| {
        let mut command = std::process::Command::new(crate::world::BOTTLE);
        command.env_clear().env("BOTTLE_ROOT", elsewhere.path()).args(["audit", "verify", "--key"]);
        said(command.arg(&public).arg(file))
    };
    let verified = verify(&file);
    assert!(
        verified.ok().contains(": ok, exported ") && verified.out.contains("enforce: true: exit 0"),
        "{verified:?}"
    );
    let text = std::fs::read_to_string(&file).unwrap();
    let payload = text.find("\"payload\":\"").unwrap() + 400;
    let changed = format!(
        "{}{}{}",
        &text[..payload],
        if &text[payload..=payload] == "A" { "B" } else { "A" },
        &text[payload + 1..]
    );
    std::fs::write(elsewhere.path().join("changed.json"), changed).unwrap();
    let refused = verify(&elsewhere.path().join("changed.json"));
    assert!(refused.code == 1 && refused.err.contains("the signature by the key "), "{refused:?}");
}
