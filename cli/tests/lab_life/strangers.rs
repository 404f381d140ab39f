//! Who is inside and not of the bottle? A stranger is found when it is attested again, nobody of its own stays, and nobody inside can ask.

use std::process::{Child, Stdio};

use serde_json::Value;

use crate::detached::Detached;
use crate::host;
use crate::renewed::{entries, nonce, renew, renewed, statement, waiting};
use crate::running::Processes;
use crate::world::{ALLOW_ECHO, World, said};

/// Becomes a program by a name that is no UTF-8: the kernel calls it as its file is called.
const NAMELESS: &str = r#"name=$(printf '\377'); ln -sf "$(command -v "$1")" "./$name"; shift; exec "./$name" "$@""#;

/// A process of the bottle's owner that has entered the agent's network namespace and stays there, unconfined.
fn stranger(world: &World, bottle: &Detached<'_>, script: &str) -> Child {
    let Processes { init, workload, .. } = Processes::of(bottle.supervisor().pid);
    let namespace = |pid: u32, kind| format!("/proc/{pid}/ns/{kind}");
    let of_owner = std::fs::read_link(namespace(init.pid, "user")).unwrap();
    let mut enter = world.program("nsenter");
    if of_owner != std::fs::read_link("/proc/self/ns/user").unwrap() {
        enter.arg("--preserve-credentials").arg(format!("--user={}", namespace(init.pid, "user")));
    }
    enter.arg(format!("--net={}", namespace(workload.pid, "net")));
    enter.args(["sh", "-c", &format!("echo inside; {script}"), "sh", "sleep", "1000"]).current_dir(world.path("."));
    let mut stranger = enter.stdout(Stdio::piped()).spawn().unwrap();
    std::io::Read::read_exact(stranger.stdout.as_mut().unwrap(), &mut [0; 7]).unwrap();
    stranger
}

fn assert_ended_by(bottle: &Detached<'_>, word: &str) {
    assert!(bottle.is_gone());
    let drift = entries(bottle, "drift");
    assert_eq!((drift.len(), &drift[0]["what"]), (1, &"remeasured".into()), "{drift:?}");
    assert!(drift[0]["detail"].as_str().unwrap().contains(word), "{drift:?}");
    assert_eq!(entries(bottle, "run.end")[0]["exit"], 137);
}

#[test]
fn a_stranger_in_the_namespace_is_found_by_a_renewal_and_ends_the_run() {
    for script in [r#"exec "$@""#, NAMELESS] {
        let world = World::new();
        let bottle = waiting(&world);
        let mut stranger = stranger(&world, &bottle, script);
        let attested = renew(&world, &bottle, &nonce("5"));
        assert_eq!((attested.code, attested.out.as_str()), (1, ""), "{script}: {attested:?}");
        assert!(attested.err.contains("no longer holds") || attested.err.contains("ending"), "{attested:?}");
        stranger.kill().unwrap();
        stranger.wait().unwrap();
        assert_ended_by(&bottle, "is not in the workload's namespaces");
        assert_eq!(entries(&bottle, "run.renew"), Vec::<Value>::new());
    }
}

#[test]
fn a_command_whose_name_is_no_text_is_attested_again_and_named_in_the_log() {
    let world = World::new();
    let script = "echo connecting; exec 3<>/dev/tcp/web.lab.example/7; echo ready; read -r forever < <(sleep 1000)";
    let words = [&ALLOW_ECHO[..], &["host", "--", "sh", "-c", NAMELESS, "sh", "bash", "-c", script]].concat();
    let bottle = Detached::start(&world, &words);
    bottle.wait_for("ready");
    let now = statement(&world, &renewed(&world, &bottle, &nonce("6")));
    assert_eq!(now["predicate"]["stage"], "running");
    let decision = &entries(&bottle, "decision")[0];
    assert!(decision["process"]["exe"].as_str().is_some_and(|exe| exe.ends_with("bash")), "{decision}");
    assert_eq!(bottle.inspect()["state"], "running");
}

#[test]
fn a_stranger_in_the_namespace_is_found_though_nobody_asks() {
    let world = World::new();
    let bottle = waiting(&world);
    let mut stranger = stranger(&world, &bottle, NAMELESS);
    // Every minute.
    assert!(bottle.supervisor().ends_within(std::time::Duration::from_secs(180)), "nobody looked");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    assert_ended_by(&bottle, "is not in the workload's namespaces");
}

#[test]
fn nobody_of_bottles_own_is_left_inside_after_a_renewal() {
    let world = World::new();
    let bottle = waiting(&world);
    let before = host::children(bottle.supervisor().pid);
    renew(&world, &bottle, &nonce("7")).ok();
    assert_eq!(host::children(bottle.supervisor().pid), before);
}

/// Whose script connects to each socket that lies open to it: of the supervisor's, as the host counts, and of whoever it sees.
const CALLER: &str = "
import os, socket, sys
def answers(path):
    try:
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect(path)
        return True
    except OSError:
        return False
seen = [pid for pid in os.listdir('/proc') if pid.isdigit()]
print([path for pid in {sys.argv[1], *seen} for path in (f'/proc/{pid}/fd/{fd}' for fd in range(64)) if answers(path)])
";

/// A process inside may have the supervisor's own user id, so what keeps it out is that the way to ask has no name that it sees.
#[test]
fn nobody_inside_can_ask_for_an_attestation() {
    let world = World::new();
    let bottle = waiting(&world);
    let supervisor = bottle.supervisor().pid.to_string();
    let inside = said(&mut world.bottle(&["exec", &bottle.id, "--", "python3", "-c", CALLER, &supervisor]));
    assert_eq!(inside.ok(), "[]\n");
    assert_eq!(entries(&bottle, "run.renew"), Vec::<Value>::new());
    // The control: its owner outside finds it.
    let outside = said(world.program("python3").args(["-c", CALLER, &supervisor]));
    assert!(outside.ok().contains(&format!("/proc/{supervisor}/fd/")), "{outside:?}");
    renew(&world, &bottle, &nonce("c")).ok();
}
