//! What does a clock that jumps do to a run? Its times are what the clock said; everything else holds.

use crate::kernel::Kernel;
use crate::scene::Scene;
use crate::world::{said, text};

/// Seconds: an hour and a year back and forth, to 1970 and to beyond the year 9999.
const JUMPS: [i64; 6] = [-3_600, 3_600, -31_536_000, 31_536_000, -4_000_000_000, 300_000_000_000];

/// One connection for each line that it reads.
const EACH_LINE: &str = "while read -r line; do exec 3<>/dev/tcp/web.lab.example/7; echo token >&3; read -r answer <&3; \
                         echo $answer; done";

#[test]
fn a_clock_that_steps_back_or_forth_changes_no_decision_and_the_log_verifies() {
    let mut scene = Scene::new();
    for jump in JUMPS {
        let what = format!("the clock is stepped by {jump} s");
        let kernel = Kernel::new(&scene.world);
        let mut running = kernel.start(&mut scene, &["-i", "host", "--", "bash", "-c", EACH_LINE]);
        for ahead in [0, jump, 0] {
            kernel.clock(ahead);
            running.write("\n");
            assert_eq!(running.line(), "token", "{what}");
        }
        let said = running.finish();
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{what}");
        kernel.gone();
        let log = crate::world::entries(&scene.audit());
        let decisions: Vec<_> = log.iter().filter(|entry| entry["kind"] == "decision").collect();
        let hours = decisions.iter().map(|entry| entry["time"].as_str().unwrap().split(':').next().unwrap());
        let hours: Vec<&str> = hours.collect();
        assert!(hours.len() == 3 && hours[1] != hours[0], "{what}: the log has another clock: {hours:?}");
        let end = log.iter().find(|entry| entry["kind"] == "run.end").unwrap();
        assert!(end["millis"].as_u64().unwrap() < 60_000, "{what}: {end}");
        scene.assert_nothing_left(&what);
    }
    scene.assert_clean("the last step of the clock");
}

/// Seconds that each reading of the clock is ahead of the one before: an hour less, and more than an attestation is valid.
const STEPS: [i64; 2] = [-3_600, 90_000];

#[test]
fn attestations_are_those_of_their_log_though_the_clock_is_stepped_between_any_two_readings() {
    let mut scene = Scene::new();
    for step in STEPS {
        let what = format!("each reading is {step} s ahead of the one before");
        let kernel = Kernel::new(&scene.world);
        kernel.clock_steps(step);
        let (name, path) = (format!("steps{step}"), |name: &str| scene.world.path(&format!("{name}{step}.json")));
        let (started, renewed) = (path("started"), path("renewed"));
        let words =
            ["--name", &name, "--attestation", text(&started), "-i", "host", "--", "sh", "-c", "echo up; read end"];
        let mut running = kernel.start(&mut scene, &words);
        assert_eq!(running.line(), "up", "{what}");
        let nonce = "ab".repeat(32);
        // Its first line may come before its record says that it runs.
        let again = loop {
            let again = said(&mut scene.world.bottle(&["attest", "renew", &name, "--nonce", &nonce]));
            if !again.err.contains("is still starting") {
                break again;
            }
        };
        std::fs::write(&renewed, again.ok()).unwrap();
        running.write("\n");
        let ended = running.finish();
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{what}");
        kernel.gone();
        for attestation in [started, renewed] {
            let log = scene.audit();
            let words = ["audit", "verify", text(&log), "--attestation", text(&attestation)];
            let verified = said(&mut scene.world.bottle(&words));
            assert_eq!((verified.code, verified.err.as_str()), (0, ""), "{what}");
        }
        scene.assert_nothing_left(&what);
    }
}
