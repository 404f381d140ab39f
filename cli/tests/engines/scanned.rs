//! Is each connection of a scan of all ports in the log, to the last one, whoever starts what scans?

use serde_json::Value;

use crate::podman::{Podman, each};
use crate::scene::Scene;
use crate::world::{Said, World, said};

/// Connects to every port of an address that no policy names, with as many at once as a process may have, and says how many packets
/// were sent again and what the kernel refused by itself.
const SCAN: &str = "
import errno, socket
from collections import Counter, deque
crowd, said = deque(), Counter()
for port in range(1, 65536):
    if len(crowd) == 900: crowd.popleft().close()
    one = socket.socket(); one.setblocking(False)
    said[one.connect_ex(('11.6.6.6', port))] += 1
    crowd.append(one)
last = socket.socket(); last.settimeout(30)
try: last.connect(('11.6.6.6', 9)); last.recv(1)
except OSError: pass
names, values = [line.split() for line in open('/proc/net/netstat') if line.startswith('TcpExt:')]
again = int(values[names.index('TCPSynRetrans')])
lost = int(open('/sys/class/net/eth0/statistics/tx_dropped').read())
print(again, lost, sum(count for code, count in said.items() if code not in (errno.EINPROGRESS, errno.ECONNREFUSED, errno.ECONNRESET)))
";

/// The connections that were opened by the script, and one that the kernel knows the end of.
const OPENED: u64 = 65_535 + 1;

fn scan() -> String {
    format!("python3 -c \"{SCAN}\"")
}

/// As many are in the log as the kernel inside sent packets that open a connection: not one fewer, and not one more.
fn assert_counted(log: &[Value], said: &Said) {
    let words: Vec<u64> = said.ok().split_whitespace().map(|word| word.parse().unwrap()).collect();
    let [again, lost, refused_here] = words[..] else { panic!("{said:?}") };
    assert_eq!((lost, refused_here), (0, 0), "lost on the way to the gate, refused by the kernel inside");
    let end = log.iter().find(|entry| entry["kind"] == "run.end").unwrap();
    let row = |class: &str| end["refused"][class].as_u64().unwrap();
    let decided = log.iter().filter(|entry| entry["kind"] == "decision").count() as u64;
    let counted = [decided, row("flood"), row("unheard"), row("undecided"), row("answered")];
    assert_eq!(row("opened"), OPENED + again, "what a verifier compares the rest with");
    assert_eq!(
        counted.iter().sum::<u64>(),
        OPENED + again,
        "decided, flood, unheard, undecided, answered: {counted:?}"
    );
}

#[test]
fn a_scan_in_a_container_of_runcs_is_in_the_log_to_the_last_connection() {
    let scene = Scene::new();
    let said = scene.run(&scene.bundle(&scan()));
    scene.assert_nothing_left();
    assert_counted(&scene.verified(), &said);
}

#[test]
fn a_scan_in_a_container_of_podmans_is_in_the_log_to_the_last_connection() {
    each(|scene, who| {
        let podman = Podman::new(scene, who);
        let bundle = scene.bundle("");
        let shown = ["--volume=/usr:/usr:ro", "--volume=/usr/lib64:/lib64:ro", "--annotation=bottle.mode=enforce"];
        let said = said(&mut podman.script(&bundle, &shown, &scan()));
        drop(podman);
        scene.assert_nothing_left();
        assert_counted(&scene.verified(), &said);
    });
}

#[test]
fn a_scan_under_bottle_run_is_in_the_log_to_the_last_connection() {
    let world = World::new();
    let said = world.shell(&scan());
    world.verify_log().ok();
    assert_counted(&world.entries(), &said);
}
