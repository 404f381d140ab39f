//! What does a host without user namespaces get? A clear word, and nothing started.

use std::fs;

use crate::host;
use crate::running::Running;
use crate::world::{BOTTLE, World};

#[test]
fn without_user_namespaces_nothing_starts_and_the_mend_is_named() {
    let world = World::new();
    let mut command = world.program("unshare");
    // The limit is set by one who may, in a user namespace of its own, and holds for all that is below. Root's own
    // namespace has all ids, which nobody but root outside can give it.
    let limit = "echo ready; read mapped; echo 0 > /proc/sys/user/max_user_namespaces && \
                 exec setpriv --ambient-caps -all --inh-caps -all \"$@\"";
    command.args(["--user", "--keep-caps"]).args((!host::is_root()).then_some("--map-current-user"));
    command.args(["--", "sh", "-c", limit, "sh", BOTTLE, "run", "host", "--", "sh", "-c", "echo > ran"]);
    let mut running = Running::start(command).ready();
    if host::is_root() {
        for map in ["uid_map", "gid_map"] {
            fs::write(format!("/proc/{}/{map}", running.pid()), "0 0 4294967295").unwrap();
        }
    }
    running.write("\n");
    let said = running.finish();
    let complaint = said.refused();
    assert!(complaint.contains("user namespace"), "{complaint}");
    assert!(complaint.contains("hint: ") && complaint.contains("user.max_user_namespaces"), "{complaint}");
    assert!(!world.project("ran").exists());
}
