//! What do the tests build and do?

use bottle_netns::build::{Owner, build};
use bottle_netns::enter::{enter_user_namespace, reenter_network_namespace};
use bottle_netns::{Airlock, Layout, Side};
use nix::unistd::geteuid;

/// An airlock, built the way that this user builds one. The test is then in the agent namespace.
pub(crate) fn airlock() -> Airlock {
    build(&Layout::default(), owner()).unwrap_or_else(|error| panic!("no airlock: {error} ({error:?})"))
}

/// What must be done first, once for a process.
pub(crate) fn owner() -> Owner {
    if geteuid().is_root() {
        return Owner::Inherited;
    }
    Owner::Own(enter_user_namespace().unwrap_or_else(|error| panic!("{error}; hint: {:?}", error.hint())))
}

/// Moves this test to one of the two namespaces.
pub(crate) fn go(airlock: &Airlock, side: Side) {
    let namespace = match side {
        Side::Agent => &airlock.agent,
        Side::Gate => &airlock.gate,
    };
    reenter_network_namespace(namespace).expect("a namespace of ours");
}
