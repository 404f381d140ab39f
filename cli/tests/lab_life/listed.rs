//! Can one see which bottles there are, call them by name, and forget them?

use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::running::{Held, Running};
use crate::world::{LIMIT, World, said};

/// A bottle with a name that waits for the end of its input.
fn named(world: &World, name: &str) -> Running {
    Running::start(world.bottle(&["run", "--name", name, "host", "--", "sh", "-c", "echo ready; cat; exit 7"])).ready()
}

/// What `bottle ps --json` lists.
fn listed(world: &World, options: &[&str]) -> Vec<Value> {
    let mut command = world.bottle(&[&["ps", "--json"], options].concat());
    serde_json::from_str(said(&mut command).ok()).unwrap()
}

fn states(world: &World) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    listed(world, &["-a"]).iter().map(|one| (text(&one["name"]), text(&one["state"]))).collect()
}

fn inspected(world: &World, name: &str) -> Value {
    let all: Value = serde_json::from_str(said(&mut world.bottle(&["inspect", name])).ok()).unwrap();
    all[0].clone()
}

fn state_of(name: &str, state: &str) -> Vec<(String, String)> {
    vec![(name.to_owned(), state.to_owned())]
}

#[test]
fn a_bottle_is_listed_while_it_runs_and_afterwards_by_its_name() {
    let world = World::new();
    let running = named(&world, "one");
    assert_eq!(states(&world), state_of("one", "running"));
    let shown = said(&mut world.bottle(&["ps"]));
    assert!(shown.ok().lines().nth(1).is_some_and(|line| line.contains(" one ") && line.contains("running for")));
    let seen = inspected(&world, "one");
    assert_eq!(seen["supervisor"], running.pid());
    assert_eq!(seen["workload"], running.processes().workload.pid);
    assert_eq!(
        (&seen["image"]["name"], &seen["command"][0], &seen["end"]),
        (&"host".into(), &"sh".into(), &Value::Null)
    );
    assert_eq!(running.finish().code, 7);
    assert_eq!(states(&world), state_of("one", "exited"));
    assert!(listed(&world, &[]).is_empty(), "only what lives is listed without -a");
    let seen = inspected(&world, "one");
    assert_eq!((&seen["end"]["code"], &seen["supervisor"]), (&7.into(), &Value::Null));
}

#[test]
fn a_bottle_is_meant_by_the_beginning_of_its_id_too() {
    let world = World::new();
    let running = Running::start(world.bottle(&["run", "host", "--", "sh", "-c", "echo ready; cat"])).ready();
    let id = said(&mut world.bottle(&["ps", "-q"])).ok().trim().to_owned();
    assert_eq!(id.len(), 12);
    let seen = inspected(&world, &id[..6]);
    assert!(seen["id"].as_str().unwrap().starts_with(&id) && seen["name"] == id.as_str(), "{seen}");
    running.finish().ok();
    assert!(states(&world).is_empty(), "a bottle without a name is forgotten with its end");
    assert!(std::path::Path::new(seen["attestation"].as_str().unwrap()).exists(), "its evidence stays");
}

#[test]
fn a_name_is_one_bottles_until_it_is_removed_and_evidence_stays() {
    let world = World::new();
    let running = named(&world, "one");
    let again = || said(&mut world.bottle(&["run", "--name", "one", "host", "--", "true"]));
    let refused = again();
    assert!(refused.refused().contains("there is a bottle one already"), "{refused:?}");
    assert!(refused.err.contains("hint: remove that one: bottle rm one"), "{refused:?}");
    let alive = said(&mut world.bottle(&["rm", "one"]));
    assert!(alive.code == 1 && alive.err.contains("the bottle one runs"), "{alive:?}");
    running.finish();
    again().refused();
    let evidence = inspected(&world, "one");
    assert_eq!(said(&mut world.bottle(&["rm", "one"])).ok(), "one\n");
    for file in ["audit", "attestation"] {
        assert!(std::path::Path::new(evidence[file].as_str().unwrap()).exists());
    }
    again().ok();
}

#[test]
fn with_rm_a_named_bottle_is_forgotten_with_its_end() {
    let world = World::new();
    said(&mut world.bottle(&["run", "--rm", "--name", "one", "host", "--", "true"])).ok();
    assert!(states(&world).is_empty());
    said(&mut world.bottle(&["run", "--name", "one", "host", "--", "true"])).ok();
}

#[test]
fn a_bottle_that_never_ran_leaves_its_name_free() {
    let world = World::new();
    for (command, code) in [("no-such-program", 127), ("/tmp", 126)] {
        assert_eq!(said(&mut world.bottle(&["run", "--name", "one", "host", "--", command])).code, code);
        assert!(states(&world).is_empty());
    }
    let unplanned = said(&mut world.bottle(&["run", "--name", "one", "-v", "/nowhere:/x", "host", "--", "true"]));
    unplanned.refused();
    said(&mut world.bottle(&["run", "--name", "one", "host", "--", "true"])).ok();
}

/// As the end of the machine does: what is left of the run is its record, and the lock is nobody's.
#[test]
fn a_bottle_whose_supervisor_was_killed_is_lost_and_can_be_removed() {
    let world = World::new();
    let running = named(&world, "one");
    let unnamed = Running::start(world.bottle(&["run", "host", "--", "sh", "-c", "echo ready; cat"])).ready();
    for run in [&running, &unnamed] {
        let supervisor = Held::new(run.pid());
        supervisor.signal(Signal::KILL);
        assert!(supervisor.ends_within(LIMIT));
    }
    running.bury();
    unnamed.bury();
    assert_eq!(states(&world), state_of("one", "lost"));
    said(&mut world.bottle(&["rm", "one"])).ok();
    assert!(states(&world).is_empty());
    let left = std::fs::read_dir(world.path("state/data/records")).unwrap().count();
    assert_eq!(left, 0, "what nobody was to keep is removed by whoever lists the bottles next");
}

#[test]
fn of_many_that_claim_a_name_at_once_one_gets_it() {
    let world = World::new();
    said(&mut world.bottle(&["run", "host", "--", "true"])).ok();
    let script = "echo got it; cat";
    let start = || Running::start(world.bottle(&["run", "--name", "one", "host", "--", "sh", "-c", script]));
    let mut all: Vec<Running> = (0..6).map(|_| start()).collect();
    let mut winners: Vec<Running> = Vec::new();
    for mut run in all.drain(..) {
        match run.try_line() {
            Some(_) => winners.push(run),
            None => assert!(run.finish().refused().contains("already")),
        }
    }
    assert_eq!(winners.len(), 1);
    winners.remove(0).finish().ok();
}

#[test]
fn each_that_is_not_there_is_told_and_the_others_are_not_held_up() {
    let world = World::new();
    named(&world, "one").finish();
    let removed = said(&mut world.bottle(&["rm", "nobody", "one"]));
    assert_eq!((removed.code, removed.out.as_str()), (1, "one\n"));
    assert!(removed.err.contains("there is no bottle \"nobody\"\nhint: bottle ps -a"), "{removed:?}");
    for arguments in [&["inspect", "x"][..], &["rm", "../x"]] {
        let unknown: &mut Command = &mut world.bottle(arguments);
        assert_eq!(said(unknown).code, 1);
    }
}
