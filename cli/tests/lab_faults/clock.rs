//! What does a clock that jumps do to a run? Its times are what the clock said; everything else holds.

use crate::kernel::Kernel;
use crate::scene::Scene;

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
