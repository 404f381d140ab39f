//! Can the host's programs connect to a published port, wherever the server listens, and is each connection in the log?

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::visitor::{Client, SERVER, connections, serving};
use crate::world::{World, said, text};

#[test]
fn a_server_inside_is_reached_from_both_loopbacks_wherever_it_listens() {
    for inside in ["127.0.0.1", "0.0.0.0", "::1", "::", "28.0.0.2"] {
        let world = World::new();
        let running = serving(&world, &["8080:8000"], inside);
        let mut client = Client::new(&world);
        let ports = [client.connected("127.0.0.1", 8080, 0), client.connected("::1", 8080, 1)];
        for (number, address) in ["127.0.0.1", "::1"].iter().enumerate() {
            assert_eq!(client.ask(&format!("finish {number}")), "None", "{inside} {address}");
            assert_eq!(client.ask(&format!("receive {number}")), "end");
        }
        running.finish().ok();
        let all = connections(&world);
        assert_eq!(all.len(), 2);
        for ((begun, outcome), (peer, address)) in all.iter().zip(ports.iter().zip(["127.0.0.1", "::1"])) {
            assert_eq!((&begun["peer"], &begun["address"]), (&address.into(), &address.into()));
            assert_eq!(
                [&begun["peer_port"], &begun["port"], &begun["inside"]],
                [&json!(peer), &json!(8080), &json!(8000)]
            );
            assert_eq!(
                (&outcome["result"], &outcome["bytes_in"], &outcome["bytes_out"]),
                (&"closed".into(), &11.into(), &6.into())
            );
        }
    }
}

#[test]
fn a_side_that_has_said_all_still_hears_the_other() {
    const SIZE: usize = 8 << 20;
    let world = World::new();
    let running = serving(&world, &["127.0.0.1:8080:8000"], "127.0.0.1");
    let mut client = Client::new(&world);
    client.ask("connect 127.0.0.1 8080");
    client.ask("send 0 count");
    assert_eq!(client.ask(&format!("bulk 0 {SIZE}")), "None");
    assert_eq!(client.ask("finish 0"), "None");
    let digits = SIZE.to_string().len() + 1;
    assert_eq!(client.ask("everything 0"), (SIZE + digits).to_string());
    running.finish().ok();
    let (_, outcome) = &connections(&world)[0];
    assert_eq!((&outcome["bytes_in"], &outcome["bytes_out"]), (&json!(SIZE + 6), &json!(SIZE + digits)));
    let summary = world.verify_log();
    assert!(summary.ok().contains("inbound   port 8000  1 connection, "), "{summary:?}");
}

#[test]
fn who_sends_more_than_the_server_reads_is_held_up() {
    let world = World::new();
    let running = serving(&world, &["8080:8000"], "127.0.0.1");
    let mut client = Client::new(&world);
    client.ask("connect 127.0.0.1 8080");
    client.ask("send 0 deaf");
    let taken: u64 = client.ask("fill 0").parse().unwrap();
    assert!(taken < 256 << 20, "{taken} bytes lie somewhere");
    // Others are served meanwhile.
    client.connected("127.0.0.1", 8080, 1);
    running.finish().ok();
    connections(&world);
}

#[test]
fn whom_nobody_serves_inside_is_reset() {
    let world = World::new();
    let running = serving(&world, &["8080:8001", "8081:8000"], "127.0.0.1");
    let mut client = Client::new(&world);
    assert_eq!(client.ask("visit 127.0.0.1 8080"), "ECONNRESET");
    client.ask("connect ::1 8081");
    client.ask("send 1 break");
    assert_eq!(client.ask("receive 1"), "ECONNRESET");
    running.finish().ok();
    let results: Vec<Value> = connections(&world).into_iter().map(|(_, outcome)| outcome["result"].clone()).collect();
    assert_eq!(results, ["refused", "reset"]);
}

#[test]
fn a_port_that_is_taken_is_told_before_anything_runs_and_is_free_when_a_run_has_ended() {
    let world = World::new();
    let running = serving(&world, &["8080:8000"], "127.0.0.1");
    for taken in ["8080:80", "127.0.0.1:8080:80", "[::1]:8080:80"] {
        let refused =
            said(&mut world.bottle(&["run", "--name", "second", "-p", taken, "host", "--", "sh", "-c", "echo > ran"]));
        assert!(refused.refused().contains("cannot publish port 80 at"), "{refused:?}");
        assert!(refused.err.contains("hint: give another port, or -p 80"), "{refused:?}");
    }
    assert!(!world.project("ran").exists());
    assert!(said(&mut world.bottle(&["inspect", "second"])).err.contains("there is no bottle"));
    let mut client = Client::new(&world);
    client.connected("127.0.0.1", 8080, 0);
    running.finish().ok();
    // What is left of the connection keeps nobody from the port.
    let again = serving(&world, &["8080:8000"], "127.0.0.1");
    client.connected("::1", 8080, 1);
    again.finish().ok();
}

#[test]
fn a_port_of_bottles_choice_is_told_listed_and_inspected() {
    let world = World::new();
    let started = said(&mut world.bottle(&[
        "run",
        "-d",
        "--name",
        "web",
        "-p",
        "8000",
        "host",
        "--",
        "python3",
        "-c",
        &format!("{SERVER}\nthreading.Event().wait()"),
        "127.0.0.1",
        "8000",
    ]));
    started.ok();
    let places: Vec<&str> =
        started.err.lines().filter_map(|line| line.split_once("published ")).map(|(_, at)| at).collect();
    let port: u16 = places[0].strip_prefix("127.0.0.1:").unwrap().split_once("->8000/tcp").unwrap().0.parse().unwrap();
    assert_eq!(places, [format!("127.0.0.1:{port}->8000/tcp"), format!("[::1]:{port}->8000/tcp")]);
    let listed = said(&mut world.bottle(&["ps"]));
    assert!(listed.ok().lines().next().unwrap().ends_with("PORTS"), "{listed:?}");
    assert!(listed.ok().contains(&places.join(", ")), "{listed:?}");
    let seen: Value = serde_json::from_str(said(&mut world.bottle(&["inspect", "web"])).ok()).unwrap();
    assert_eq!(seen[0]["published"][0], json!({ "address": "127.0.0.1", "port": port, "inside": 8000 }));
    said(&mut world.bottle(&["logs", "-n", "1", "web"])).ok();
    let mut client = Client::new(&world);
    // The server says when it listens, and the log of what it says can be followed.
    let mut follow = world.bottle(&["logs", "-f", "web"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "ready"));
    client.connected("::1", port, 0);
    said(&mut world.bottle(&["stop", "-t", "0", "web"])).ok();
    follow.wait().unwrap();
    let listed = said(&mut world.bottle(&["ps", "-a"]));
    assert!(!listed.ok().contains("->8000/tcp"), "nobody listens any more: {listed:?}");
}

/// A server that sends back what it is sent was heard. Who comes before it listens is reset, and finds out by the first call or the second.
fn greeted(world: &World) {
    let mut client = Client::new(world);
    let greeted = (0..10_000).any(|number| {
        client.ask("connect 127.0.0.1 8080");
        client.ask(&format!("send {number} hello"));
        client.ask(&format!("receive {number}")) == "hello"
    });
    assert!(greeted);
}

/// Images of servers do, and what `-p 8080:80` is for is mostly one of them.
#[test]
fn a_server_may_listen_below_1024_whoever_it_is() {
    for user in ["0", "33"] {
        let world = World::new();
        let image = crate::image::image(&world, &json!({ "Env": ["PATH=/bin"] }));
        let script = "echo ready; exec nc -l -p 80 -e /bin/cat";
        let running = world.start(&["-p", "8080:80", "-u", user, &image, "--", "sh", "-c", script]).ready();
        greeted(&world);
        running.end().ok();
    }
}

#[test]
fn an_image_and_a_directory_are_published_alike() {
    let world = World::new();
    let image = crate::image::image(&world, &json!({ "Env": ["PATH=/bin"] }));
    let script = "echo ready; exec nc -l -p 8000 -e /bin/cat";
    let running = world.start(&["-p", "8080:8000", &image, "--", "sh", "-c", script]).ready();
    greeted(&world);
    running.end().ok();
    connections(&world);
}

#[test]
fn the_attestation_names_what_is_published_and_nothing_where_nothing_is() {
    let world = World::new();
    world.shell("true").ok();
    let shown = |world: &World| -> Value {
        serde_json::from_str(said(&mut world.bottle(&["attest", "show", "--json", text(&world.attestation())])).ok())
            .unwrap()
    };
    let without = shown(&world)["predicate"]["facts"].clone();
    assert!(without.get("supervisor.published").is_none());
    serving(&world, &["8080:8000"], "127.0.0.1").finish().ok();
    let with = shown(&world)["predicate"]["facts"].clone();
    let at = |address: &str| json!({ "address": address, "port": 8080, "inside": 8000 });
    assert_eq!(with["supervisor.published"]["basis"], "measured");
    assert_eq!(with["supervisor.published"]["value"], json!([at("127.0.0.1"), at("::1")]));
    for same in ["agent.ruleset", "gate.ruleset"] {
        assert_eq!(without[same]["value"]["sha256"], with[same]["value"]["sha256"], "{same}");
    }
    assert_eq!(without["gate.seccomp-program"], with["gate.seccomp-program"]);
    assert_ne!(without["init.seccomp-program"], with["init.seccomp-program"], "it connects");
    let key = said(&mut world.bottle(&["attest", "keygen"]));
    std::fs::write(world.path("key.pub"), key.ok()).unwrap();
    let verified = said(&mut world.bottle(&[
        "attest",
        "verify",
        text(&world.attestation()),
        "--key",
        text(&world.path("key.pub")),
    ]));
    assert!(verified.ok().contains("reached from the host at 127.0.0.1:8080 to port 8000, [::1]:8080"), "{verified:?}");
}
