//! What is attacked from: a bottle whose workload is in the midst of an allowed connection.

use crate::running::Running;
use crate::world::{ALLOW_ECHO, World};

/// Sends each line to the lab's echo service and writes down what comes back.
const ECHO: &str = "exec 3<>/dev/tcp/web.lab.example/7; echo ready >&3; read -r line <&3; echo $line
while read -r word; do echo $word >&3; read -r line <&3; echo $line; done; exit 0";

/// A bottle that may reach one service, and does.
pub fn bottle(world: &World) -> Running {
    bottle_that_may(world, &[])
}

/// The same with more rules.
pub fn bottle_that_may(world: &World, more: &[&str]) -> Running {
    let command = ["host", "--", "bash", "-c", ECHO];
    world.start(&[&ALLOW_ECHO, more, &command].concat()).ready()
}

/// Its connection is as it was, and it ends in peace: nothing was noticed that counts as drift.
pub fn assert_unharmed(world: &World, mut running: Running) {
    running.write("again\n");
    assert_eq!(running.line(), "again");
    running.finish().ok();
    world.verify_log().ok();
}
