//! Do `stop`, `kill` and `rm -f` end a bottle, and is it told which could not be?

use rustix::process::Signal;
use serde_json::json;

use crate::detached::Detached;
use crate::world::{World, said};

#[test]
fn a_bottle_that_heeds_the_signal_ends_as_it_likes() {
    let world = World::new();
    let bottle = Detached::shell(&world, "trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.05; done");
    bottle.wait_for("ready");
    let stopped = said(&mut world.bottle(&["stop", &bottle.id]));
    assert_eq!(stopped.ok().trim(), bottle.id);
    let end = bottle.inspect()["end"].clone();
    assert_eq!((&end["code"], &end["reason"]), (&json!(5), &json!(null)), "{end}");
    assert!(bottle.logs(&[]).out.ends_with("bye\n"));
}

#[test]
fn a_bottle_that_does_not_is_killed_when_its_time_is_over_and_the_log_says_why() {
    let world = World::new();
    let bottle = Detached::shell(&world, "trap 'echo no' TERM; echo ready; while :; do sleep 0.05; done");
    bottle.wait_for("ready");
    said(&mut world.bottle(&["stop", "-t", "1", &bottle.id])).ok();
    let end = bottle.inspect()["end"].clone();
    assert_eq!(end["code"], 137, "{end}");
    assert!(end["reason"].as_str().unwrap().contains("bottle stop"), "{end}");
    let logs = bottle.logs(&[]);
    assert!(logs.out.ends_with("no\n") && logs.err.contains("ended the command"), "{logs:?}");
    said(&mut world.bottle(&["audit", "verify", bottle.inspect()["audit"].as_str().unwrap()])).ok();
}

#[test]
fn an_image_says_by_which_signal_it_wants_to_end() {
    let world = World::new();
    let image = crate::image::image(&world, &json!({ "Env": ["PATH=/bin"], "StopSignal": "SIGRTMIN+3" }));
    let script = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done";
    let bottle = Detached::start(&world, &[&image, "--", "sh", "-c", script]);
    bottle.wait_for("ready");
    assert_eq!(bottle.inspect()["stop_signal"], 37);
    said(&mut world.bottle(&["stop", &bottle.id])).ok();
    assert_eq!(bottle.inspect()["end"]["signal"], 37);
    let image = crate::image::image(&world, &json!({ "Env": ["PATH=/bin"], "StopSignal": "SIGNONSENSE" }));
    let refused = said(&mut world.bottle(&["run", "-d", &image, "--", "true"]));
    assert!(refused.code == 125 && refused.err.contains("StopSignal"), "{refused:?}");
}

#[test]
fn a_signal_is_sent_by_its_name_and_by_default_it_kills() {
    let world = World::new();
    let bottle = Detached::shell(&world, "trap 'echo heard' USR2; echo ready; while :; do sleep 0.05; done");
    bottle.wait_for("ready");
    said(&mut world.bottle(&["kill", "-s", "SIGUSR2", &bottle.id])).ok();
    bottle.wait_for("heard");
    said(&mut world.bottle(&["kill", &bottle.id])).ok();
    let end = bottle.ended();
    assert_eq!((&end["code"], &end["signal"]), (&json!(137), &json!(9)));
    let nothing = said(&mut world.bottle(&["kill", "-s", "NONSENSE", &bottle.id]));
    assert!(nothing.code == 2 && nothing.err.contains("there is no signal"), "{nothing:?}");
}

#[test]
fn several_are_stopped_at_once_and_each_that_can_not_be_is_told() {
    let world = World::new();
    // Each ends when both were asked to, and before its grace is over only if the other was asked meanwhile.
    let script = |own: &str, others: &str| {
        format!(
            "trap 'touch {own}; until [ -e {others} ]; do sleep 0.05; done; exit 7' TERM; echo ready; while :; do sleep 0.05; done"
        )
    };
    let (one, other) = (Detached::shell(&world, &script("a", "b")), Detached::shell(&world, &script("b", "a")));
    one.wait_for("ready");
    other.wait_for("ready");
    let stopped = said(&mut world.bottle(&["stop", "-t", "25", &one.id, "nobody", &other.id]));
    assert_eq!((stopped.code, stopped.out.lines().count()), (1, 2), "{stopped:?}");
    assert!(stopped.err.contains("there is no bottle \"nobody\""), "{stopped:?}");
    assert_eq!((&one.ended()["code"], &other.ended()["code"]), (&json!(7), &json!(7)), "one after the other");
    // What has ended is as it should be; to a signal nobody is there.
    said(&mut world.bottle(&["stop", &one.id])).ok();
    let late = said(&mut world.bottle(&["kill", &one.id]));
    assert!(late.code == 1 && late.err.contains("has ended: exited ("), "{late:?}");
    assert!(late.err.contains("\nhint: bottle logs "), "{late:?}");
}

#[test]
fn a_forced_removal_ends_a_bottle_even_if_its_supervisor_answers_nobody() {
    let world = World::new();
    let bottle = Detached::shell(&world, "trap '' TERM; echo ready; while :; do sleep 0.05; done");
    bottle.wait_for("ready");
    said(&mut world.bottle(&["rm", "-f", &bottle.id])).ok();
    assert!(bottle.is_gone());
    assert_eq!(said(&mut world.bottle(&["ps", "-aq"])).ok(), "");

    let bottle = Detached::shell(&world, "echo ready; sleep 1000");
    bottle.wait_for("ready");
    bottle.supervisor().signal(Signal::STOP);
    let deaf = said(&mut world.bottle(&["kill", &bottle.id]));
    assert!(deaf.code == 1 && deaf.err.contains("hint: `bottle rm -f"), "{deaf:?}");
    said(&mut world.bottle(&["rm", "-f", &bottle.id])).ok();
    assert!(bottle.is_gone());
}

/// The socket has no name, and what speaks to it out of turn is hung up on.
#[test]
fn who_babbles_at_the_control_socket_or_holds_it_open_stops_nothing() {
    let world = World::new();
    let bottle = Detached::shell(&world, "echo ready; sleep 1000");
    bottle.wait_for("ready");
    assert_eq!(crate::remains::sockets_below(&world.path("")), [""; 0]);
    let babble = r#"
import json, os, socket, sys
record = json.load(open(sys.argv[1]))
path = f"/proc/{record['supervisor']}/fd/{record['running']['control']}"
held = []
for message in [None] * 80 + [b"", b"x", b"{}", b"null", b"\xff" * 60000, b'{"Stop":{"grace_seconds":-1}}', b'{"Signal":{"signal":0}}']:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.connect(path)
    client.settimeout(20)
    if message is None:
        held.append(client)
        continue
    try:
        client.send(message)
        assert client.recv(100) == b"", message
    except (BrokenPipeError, ConnectionResetError):
        pass
"#;
    let record = world.path("state/data/records").join(&bottle.id).join("run.json");
    let babbled = world.program("python3").args(["-c", babble]).arg(record).output().unwrap();
    assert!(babbled.status.success(), "{babbled:?}");
    assert_eq!(bottle.inspect()["state"], "running");
    said(&mut world.bottle(&["stop", "-t", "0", &bottle.id])).ok();
}
