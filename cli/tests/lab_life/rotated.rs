//! What becomes of evidence when the key that signs it is exchanged for another?

use std::fs;

use crate::detached::Detached;
use crate::world::{World, said, text};

fn rotate(world: &World) {
    said(&mut world.bottle(&["attest", "keygen", "--rotate"])).ok();
}

fn signer(world: &World) -> String {
    let listed = said(&mut world.bottle(&["attest", "keys"]));
    listed.ok().split_once("  ").unwrap().0.to_owned()
}

#[test]
fn what_was_signed_before_still_verifies_and_one_log_goes_on_under_the_new_key() {
    let world = World::new();
    world.shell("true").ok();
    let old = world.path("old.json");
    fs::copy(world.attestation(), &old).unwrap();
    let first = signer(&world);
    rotate(&world);
    assert_ne!(signer(&world), first);
    world.shell("true").ok();
    let said_of = |arguments: &[&str]| said(&mut world.bottle(arguments));
    assert!(said_of(&["attest", "verify", text(&old)]).ok().contains(&first));
    said_of(&["attest", "verify", text(&world.attestation())]).ok();
    world.verify_log().ok();
    let keys = world.path("state/data/keys");
    said_of(&["audit", "verify", text(&world.audit()), "--key", text(&keys)]).ok();
    let only = said_of(&["audit", "verify", text(&world.audit()), "--key", text(&keys.join("bottle.pub"))]);
    assert!(only.code == 1 && only.err.contains(&first), "{only:?}");
    let export = world.path("old.export");
    let run = world.entries_of("run.start")[0]["run"].as_str().unwrap().to_owned();
    said_of(&[
        "audit",
        "export",
        text(&world.audit()),
        "--run",
        &run,
        "--attestation",
        text(&old),
        "-o",
        text(&export),
    ])
    .ok();
    said_of(&["audit", "verify", text(&export)]).ok();
}

#[test]
fn a_bottle_that_runs_finishes_with_the_key_that_it_began_with() {
    let world = World::new();
    let bottle = Detached::shell(&world, "echo ready; read -r never; sleep 1000");
    let first = signer(&world);
    rotate(&world);
    said(&mut world.bottle(&["exec", &bottle.id, "--", "true"])).ok();
    said(&mut world.bottle(&["stop", "-t", "0", &bottle.id])).ok();
    let (audit, attestation) = (bottle.inspect()["audit"].clone(), bottle.inspect()["attestation"].clone());
    let (audit, attestation) = (audit.as_str().unwrap(), attestation.as_str().unwrap());
    let sealed = crate::world::entries(audit.as_ref());
    assert!(sealed.iter().filter(|entry| entry["kind"] == "seal").all(|seal| seal["key"] == first.as_str()));
    said(&mut world.bottle(&["audit", "verify", audit, "--attestation", attestation])).ok();
}

#[test]
fn what_somebody_signs_later_with_the_old_key_is_refused() {
    let world = World::new();
    said(&mut world.bottle(&["attest", "keygen"])).ok();
    let stolen = world.path("stolen.key");
    fs::copy(world.path("state/data/keys/bottle.key"), &stolen).unwrap();
    rotate(&world);
    said(&mut world.run(&["--key", text(&stolen), "host", "--", "true"])).ok();
    let attested = said(&mut world.bottle(&["attest", "verify", text(&world.attestation())]));
    assert!(
        attested.code == 11 && attested.err.contains("was retired at") && attested.err.contains("hint: "),
        "{attested:?}"
    );
    let logged = world.verify_log();
    assert!(logged.code == 1 && logged.err.contains("line 2 ") && logged.err.contains("was retired at"), "{logged:?}");
}

#[test]
fn whatever_starts_while_keys_are_exchanged_is_signed_by_one_that_was_not_retired() {
    let world = World::new();
    said(&mut world.bottle(&["attest", "keygen"])).ok();
    let runs = 6;
    std::thread::scope(|scope| {
        let starts: Vec<_> = (0..runs)
            .map(|number| {
                let (log, attestation) =
                    (world.path(&format!("{number}.jsonl")), world.path(&format!("{number}.json")));
                let mut run = world.bottle(&[
                    "run",
                    "--audit",
                    text(&log),
                    "--attestation",
                    text(&attestation),
                    "host",
                    "--",
                    "true",
                ]);
                scope.spawn(move || said(&mut run))
            })
            .collect();
        (0..runs).for_each(|_| rotate(&world));
        starts.into_iter().for_each(|start| drop(start.join().unwrap().ok().to_owned()));
    });
    for number in 0..runs {
        let (log, attestation) = (world.path(&format!("{number}.jsonl")), world.path(&format!("{number}.json")));
        said(&mut world.bottle(&["audit", "verify", text(&log), "--attestation", text(&attestation)])).ok();
    }
}
