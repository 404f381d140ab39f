//! Does observe mode let through and record all but private and metadata addresses? (W4)

use bottle_evidence::audit::Choice;

use crate::world::{World, path};

#[test]
fn what_nothing_names_is_reached_and_recorded_as_observed() {
    let world = World::new();
    let script = "print(https('evil.attacker.example'), http('web.lab.example'), http('11.6.6.6', name='x.example'))
print(tcp('ssh.lab.example', 22).recv(64).decode().strip())";
    for options in [["--allow-all"].as_slice(), &["--mode", "observe"]] {
        let (said, run) = world.bottle(options).python(script);
        assert_eq!(said, ["200 200 200", "SSH-2.0-lab_1.0"]);
        assert!(run.log.decisions().all(|decision| decision.decision == Choice::Observe), "{:#?}", run.log);
        assert_eq!(run.log.row("evil.attacker.example").decision, Choice::Observe);
    }
}

#[test]
fn private_and_metadata_addresses_are_denied_all_the_same() {
    let world = World::new();
    let script = "print(https('private.lab.example'), https('metadata.lab.example'), https('mixed.lab.example'))
print(https('10.1.2.3'), http('169.254.169.254'), https('loopback.lab.example'), http('11.0.0.2'))";
    let (said, run) = world.bottle(&["--allow-all"]).python(script);
    assert_eq!(said, ["ECONNRESET ECONNRESET ECONNRESET", "ECONNRESET ECONNRESET ECONNRESET ECONNRESET"]);
    assert_eq!(run.log.reasons().len(), 7, "{:?}", run.log.reasons());
    assert!(!world.lab.packets("host/eth0").unwrap().iter().any(|packet| packet.is_syn()));
}

#[test]
fn udp_does_not_leave_in_observe_mode_either() {
    let world = World::new();
    let (said, _) = world.bottle(&["--allow-all"]).python("print(end(datagram, '11.6.6.6', 443))");
    assert_eq!(said, ["EPERM"]);
    assert!(world.lab.received("udp").unwrap().is_empty());
}

#[test]
fn the_mode_is_in_the_attestation() {
    let world = World::new();
    let at = world.path("att.json");
    world.bottle(&["--allow-all"]).option("--attestation", &at).run(&["true"]).ok();
    assert_eq!(world.verb(&["attest", "verify", path(&at), "--mode", "observe"]).0, 0);
    assert_eq!(world.verb(&["attest", "verify", path(&at), "--mode", "enforce"]).0, 18);
}
