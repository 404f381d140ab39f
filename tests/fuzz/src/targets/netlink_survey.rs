//! Are the kernel's dumps of links, routes and sockets read alike each time, whatever is in them?

use bottle_netns::fuzz;

use super::Reading;

/// The first byte says what was dumped.
pub(super) fn read(bytes: &[u8]) -> Reading {
    let Some((what, dump)) = bytes.split_first() else { return Reading::Refused };
    match what {
        b'r' => alike(fuzz::links_and_routes, dump),
        b's' => alike(fuzz::listeners, dump),
        b'c' => alike(fuzz::counters, dump),
        _ => Reading::Refused,
    }
}

fn alike<T: PartialEq + std::fmt::Debug>(read: fn(&[u8]) -> Option<T>, dump: &[u8]) -> Reading {
    let once = read(dump);
    assert_eq!(once, read(dump));
    once.is_some().into()
}
