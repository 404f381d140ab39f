//! Is a bottle that nothing is wrong with left alone? Traffic that is allowed and denied, for as long as is asked, and not one drift.

use std::path::Path;

use crate::moments::{from_environment, is_long};
use crate::scene::Scene;
use crate::world::each_entry;

/// Names, connections and datagrams, allowed and denied, until the time is over. A line now and then says that it goes on.
const TRAFFIC: &str = r#"
turns=0 failed=0 said=0
while ((SECONDS < $1)); do
    { exec 3<>/dev/tcp/web.lab.example/7 && echo token >&3 && read -r -t 20 line <&3 && [[ $line == token ]]; } || ((failed++))
    exec 3>&- 3<&-
    exec 3<>/dev/tcp/evil.attacker.example/9; exec 3<>/dev/tcp/11.9.9.9/9; exec 3>&- 3<&-
    echo token > /dev/udp/11.9.9.9/9
    ((turns++))
    ((SECONDS < said)) || { echo "turn $turns"; said=$((SECONDS + 10)); }
done 2>/dev/null
echo "done $turns $failed"
"#;

#[test]
fn a_healthy_bottle_with_traffic_is_never_killed() {
    let seconds = from_environment("BOTTLE_FAULTS_HEALTHY").unwrap_or(if is_long() { 3600 } else { 5 });
    let mut scene = Scene::without_capture();
    scene.begin();
    let options = scene.options().into_iter().filter(|word| word != "--timeout" && word.parse::<u64>().is_err());
    let options: Vec<String> = options.collect();
    let seconds = seconds.to_string();
    let mut words: Vec<&str> = options.iter().map(String::as_str).collect();
    // An hour fills many a file of the usual size, and the short form ought to see more than one as well.
    let size = if is_long() { "64MiB" } else { "64KiB" };
    words.extend(["--audit-max-size", size, "host", "--", "bash", "-c", TRAFFIC, "traffic", &seconds]);
    let mut running = crate::running::Running::start(scene.world.bottle(&words));
    let last = loop {
        let line = running.line();
        if line.starts_with("done") {
            break line;
        }
    };
    let ended = running.end();
    assert_eq!(ended.code, 0, "{last}: {ended:?}");
    let tally = Tally::of(&scene.audit());
    assert_eq!((tally.drifts, tally.ends), (0, 1), "{last}");
    let [_, turns, failed] = last.split(' ').collect::<Vec<_>>()[..] else { panic!("{last}") };
    let files = bottle_runtime::segments::of(&scene.audit()).unwrap().len();
    println!("{seconds} s: {files} files, {turns} turns, {tally:?}, {failed} failed");
    let turns: usize = turns.parse().unwrap();
    assert!(failed == "0" && turns > 0 && files > 1, "{last}: {files} files, {:?}", tally.broken);
    assert_eq!((tally.allowed, tally.decisions), (turns, tally.outcomes), "{last}");
    // It verifies too: its run was closed.
    scene.assert_clean("a healthy bottle");
}

/// What a log has of each kind that counts here. An hour of it is too long to be held.
#[derive(Debug, Default)]
struct Tally {
    decisions: usize,
    allowed: usize,
    outcomes: usize,
    drifts: usize,
    ends: usize,
    /// What became of attempts that were neither denied nor brought to their end, as it stands in the log; the first of them.
    broken: Vec<String>,
}

impl Tally {
    fn of(log: &Path) -> Tally {
        let mut tally = Tally::default();
        for entry in each_entry(log) {
            match entry["kind"].as_str() {
                Some("decision") => {
                    tally.decisions += 1;
                    tally.allowed += usize::from(entry["decision"] == "allow");
                }
                Some("outcome") => {
                    tally.outcomes += 1;
                    let is_usual = ["closed", "refused"].iter().any(|result| entry["result"] == *result);
                    tally.broken.extend((!is_usual && tally.broken.len() < 20).then(|| entry.to_string()));
                }
                Some("drift") => tally.drifts += 1,
                Some("run.end") => tally.ends += 1,
                _ => {}
            }
        }
        tally
    }
}
