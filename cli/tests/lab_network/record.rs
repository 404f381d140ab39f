//! Is each attempt in the log, before anything leaves for it, and is nothing allowed that can't be recorded? (E5, E6, W5)

use std::io::{BufRead, BufReader};
use std::process::Command;

use bottle_evidence::audit::{Choice, Ended};

use crate::log::Log;
use crate::world::{World, go_on, path};

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// `World::bottle` checks for every run of every test that each packet that left came after its decision; here one is looked at.
#[test]
fn each_attempt_is_one_decision_and_one_outcome() {
    let world = World::new();
    let script = "print(https('api.allowed.example'), https('api.allowed.example', 8443), https('11.6.6.6'))
print(https('unreachable.lab.example'), https('private.lab.example'), https('failure.lab.example'))";
    let bottle =
        world.allow(&["api.allowed.example", "unreachable.lab.example", "private.lab.example", "failure.lab.example"]);
    let (said, run) = bottle.python(script);
    assert_eq!(said, ["200 ECONNRESET ECONNRESET", "ECONNRESET ECONNRESET ECONNRESET"]);
    let ended: Vec<(Choice, Ended)> =
        run.log.attempts().iter().map(|(decision, outcome)| (decision.decision, outcome.result)).collect();
    let expected = [
        (Choice::Allow, Ended::Closed),
        (Choice::Deny, Ended::Refused),
        (Choice::Deny, Ended::Refused),
        (Choice::Allow, Ended::Unreachable),
        (Choice::Allow, Ended::Refused),
        (Choice::Allow, Ended::Unreachable),
    ];
    assert_eq!(ended, expected, "{:#?}", run.log);
    for (decision, _) in run.log.attempts() {
        assert_eq!(decision.policy, run.log.decisions().next().unwrap().policy);
        assert_eq!(decision.reason.is_some(), decision.decision == Choice::Deny);
    }
}

#[test]
fn a_log_that_cannot_be_written_any_more_denies_before_any_packet() {
    let world = World::new();
    let disk = world.path("disk");
    std::fs::create_dir(&disk).unwrap();
    output(world.lab.privileged("mount").args(["-t", "tmpfs", "-o", "size=256k,mode=1777", "audit", path(&disk)]));
    let script = "print(https('api.allowed.example')); sys.stdout.flush(); sys.stdin.readline()
tries = 0
while https('api.allowed.example') == '200' and tries < 100: tries += 1
print(tries, https('api.allowed.example'), https('web.lab.example'), https('11.6.6.6'))";
    let bottle = world.allow(&["api.allowed.example", "web.lab.example"]).audited_at(disk.join("a.jsonl"));
    let mut child = bottle.start(&["python3", "-c", &format!("from client import *\n{script}")]);
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(said.next().unwrap().unwrap(), "200");
    // Until there is no more room, which is the error that is wanted. The log's own last page has some left.
    let fill = format!("cat /dev/zero > {}/fill 2>&1", path(&disk));
    assert!(!world.lab.command("sh").args(["-c", &fill]).status().unwrap().success());
    go_on(&mut child);
    let said: Vec<String> = said.map(Result::unwrap).collect();
    let ended = child.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&ended.stderr);
    assert!(err.contains("the audit log cannot be written, so everything is denied from now on"), "{said:?} {err}");
    let (tries, rest) = said[0].split_once(' ').unwrap();
    assert_eq!(rest, "ECONNRESET ECONNRESET ECONNRESET", "{err}");
    // Each SYN has its record on the full disk.
    let packets = world.lab.packets("host/eth0").unwrap();
    let syns = packets.iter().filter(|packet| packet.is_syn()).count();
    let shown = output(world.lab.command("cat").arg(bottle.audit()));
    let recorded = Log::parse(&shown).decisions().count();
    assert!(syns == recorded && syns == tries.parse::<usize>().unwrap() + 1, "{syns} {recorded} {tries}");
    assert!(world.lab.dns_queries().unwrap().iter().all(|query| query.name == "api.allowed.example"));
}

#[test]
fn an_audit_file_that_cannot_be_opened_starts_nothing() {
    let world = World::new();
    let bottle = world.allow(&["api.allowed.example"]).audited_at("/proc/nowhere/a.jsonl");
    let output = bottle.start(&["touch", "ran"]).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(125), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/proc/nowhere/a.jsonl"));
    assert!(!world.project("ran").exists());
}

#[test]
fn the_end_of_a_run_has_a_row_for_each_host_with_bytes_and_the_gravest_decision() {
    let world = World::new();
    let script = "print(https('api.allowed.example'), https('web.lab.example'), https('web.lab.example', 8443))
https('evil.attacker.example'); sys.exit(3)";
    let run = world.allow(&["api.allowed.example", "web.lab.example"]).run(&[
        "python3",
        "-c",
        &format!("from client import *\n{script}"),
    ]);
    assert_eq!((run.code, run.out.trim()), (3, "200 200 ECONNRESET"));
    let end = run.log.end();
    assert_eq!((end.exit, end.hosts.len()), (3, 3), "{end:#?}");
    assert_eq!((end.command.len(), end.command[0].as_str()), (3, "python3"));
    let row = run.log.row("api.allowed.example");
    assert_eq!((row.decision, row.port, row.connections, row.denied), (Choice::Allow, Some(443), 1, 0));
    assert!(row.bytes_up > 200 && row.bytes_down > 500, "{row:?}");
    let row = run.log.row("web.lab.example");
    assert_eq!((row.decision, row.port, row.connections, row.denied), (Choice::Deny, None, 2, 1));
    let row = run.log.row("evil.attacker.example");
    assert_eq!((row.decision, row.connections, row.bytes_up), (Choice::Deny, 0, 0));
}

#[test]
fn a_run_that_is_killed_leaves_a_log_that_says_that_it_is_not_whole() {
    let world = World::new();
    let bottle = world.allow(&["api.allowed.example"]);
    let script = "print(https('api.allowed.example')); sys.stdout.flush(); sys.stdin.readline()";
    let mut child = bottle.start(&["python3", "-c", &format!("from client import *\n{script}")]);
    let line = BufReader::new(child.stdout.as_mut().unwrap()).lines().next().unwrap().unwrap();
    assert_eq!(line, "200");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(Log::read_as_it_is(bottle.audit()).decisions().count(), 1);
    let (code, said) = world.verb(&["audit", "verify", path(bottle.audit())]);
    assert_eq!(code, 1, "{said}");
}

#[test]
fn a_log_that_grows_goes_on_in_other_files_and_is_whole_over_all_of_them() {
    let world = World::new();
    let bottle = world.allow(&["api.allowed.example"]).option("--audit-max-size", "4k");
    let script = "print([https('api.allowed.example') for _ in range(20)].count('200'))";
    let (said, run) = bottle.python(script);
    assert_eq!((said, run.log.decisions().count()), (vec!["20".to_owned()], 20));
    assert_eq!(run.log.row("api.allowed.example").connections, 20);
    let audit = world.path("audit-0.jsonl");
    let files = bottle_runtime::segments::of(&audit).unwrap();
    assert!(files.len() > 2, "{files:?}");
    for file in &files[..files.len() - 1] {
        let size = std::fs::metadata(file).unwrap().len();
        assert!((4096..8192).contains(&size), "{size}: one batch more than it is to have, at most");
    }
    let export = world.path("export.json");
    let (code, said) = world.verb(&["audit", "export", path(&audit), "-o", path(&export)]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(world.verb(&["audit", "verify", path(&export)]).0, 0);
    std::fs::remove_file(&files[1]).unwrap();
    let (code, said) = world.verb(&["audit", "verify", path(&audit)]);
    assert!(code == 1 && said.contains("file 2 of the log is missing"), "{said}");
}
