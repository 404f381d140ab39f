//! What is left when somebody with power over a bottle's namespaces changes them? The run ends, and says why.

use crate::scene::Scene;
use crate::side::Side;
use crate::world::said;

/// Where, by which command, and as which kinds of drift it may be noticed first.
const CHANGES: [(Side, &[&str], &[&str]); 8] = [
    (Side::Agent, &["nft", "flush", "ruleset"], &["ruleset"]),
    (Side::Gate, &["nft", "flush", "ruleset"], &["ruleset"]),
    (Side::Agent, &["ip", "link", "set", "eth0", "down"], &["link", "route", "address", "neighbour"]),
    (Side::Gate, &["ip", "link", "set", "g0", "down"], &["link", "route", "address", "neighbour"]),
    (Side::Agent, &["ip", "address", "add", "10.9.9.9/24", "dev", "eth0"], &["address", "route"]),
    (Side::Gate, &["ip", "address", "add", "10.9.9.9/24", "dev", "g0"], &["address", "route"]),
    (Side::Agent, &["ip", "route", "add", "10.0.0.0/8", "dev", "eth0"], &["route"]),
    (Side::Gate, &["ip", "route", "add", "10.0.0.0/8", "dev", "g0"], &["route"]),
];

#[test]
fn what_is_changed_from_outside_ends_the_run_and_leaves_nothing() {
    let mut scene = Scene::new();
    for (side, command, noticed) in CHANGES {
        let what = format!("{side:?}: {}", command.join(" "));
        let running = scene.busy().ready();
        let enter = format!("--net={}", side.place(&running));
        said(scene.world.privileged("nsenter").arg(enter).args(command)).ok();
        let ended = running.end();
        assert_eq!(ended.code, 137, "{what}: {ended:?}");
        scene.assert_nothing_left(&what);
        let log = crate::world::entries(&scene.audit());
        let drift = log.iter().find(|entry| entry["kind"] == "drift").unwrap_or_else(|| panic!("{what}: {log:#?}"));
        assert!(noticed.contains(&drift["what"].as_str().unwrap()), "{what}: {drift}");
    }
    scene.assert_clean("the last change");
}
