//! Do a hundred containers, created and removed side by side, each get an airlock of their own and leave nothing?

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::scene::Scene;
use crate::world::{entries, said, text};

const CONTAINERS: usize = 100;

/// `tests/faults` has them all begin at once, which takes a machine of its own.
fn at_once() -> usize {
    if std::env::var_os("BOTTLE_FAULTS_LONG").is_some() { CONTAINERS } else { 6 }
}

#[test]
fn a_hundred_containers_side_by_side_are_all_right_and_leave_nothing() {
    let scene = Scene::new();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..at_once() {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < CONTAINERS {
                    let bundle = scene.bundle("busybox ls /sys/class/net | busybox tr '\\n' ' '");
                    let said = scene.run(&bundle);
                    assert_eq!(said.ok().trim(), "eth0 lo");
                    std::fs::remove_dir_all(&bundle.place).unwrap();
                }
            });
        }
    });
    scene.assert_nothing_left();
    let evidence = scene.evidence();
    assert_eq!(evidence.len(), CONTAINERS);
    for directory in evidence {
        let (log, attestation) = (directory.join("audit.jsonl"), directory.join("attestation.json"));
        let both = ["audit", "verify", text(&log), "--attestation", text(&attestation)];
        said(&mut scene.world.bottle(&both)).ok();
        assert!(entries(&log).iter().any(|entry| entry["kind"] == "run.end" && entry["exit"] == 0));
    }
}
