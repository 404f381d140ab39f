//! How is an airlock built around a network namespace that somebody else has made?
//!
//! Nothing may lead anywhere in it: whatever else is there would be a second way out. So it is looked at before anything is
//! changed, and only what every namespace comes with is taken for nothing.

use std::os::fd::OwnedFd;

use crate::airlock::{Airlock, Desk};
use crate::build::{BuildError, Owner, begin, build_around, wire};
use crate::conform::is_fallback;
use crate::layout::{Layout, Side};
use crate::survey::route::{self, Link, Route};

/// Builds the pair with this one as the agent namespace, in which the caller is. `owner` owns it, or has power over its owner. Whether somebody has sockets in it is told by
/// [`crate::held::sockets`]: later, since an engine may have just closed one of its own, and the kernel counts that for milliseconds more.
///
/// # Errors
/// [`BuildError::Connected`] where it has a network already: nothing was changed then.
pub fn build_in(layout: &Layout, owner: Owner, agent: OwnedFd) -> Result<Airlock, BuildError> {
    build_around(layout, owner, || {
        let desk = Desk::open().map_err(wire(Side::Agent))?;
        let found = connections(&desk)?;
        if found.is_empty() { begin(agent, Side::Agent, desk) } else { Err(BuildError::Connected { found }) }
    })
}

/// What leads somewhere.
fn connections(desk: &Desk) -> Result<Vec<String>, BuildError> {
    let dump = |what| desk.route.dump(&what).map_err(wire(Side::Agent));
    let links = route::links(dump(route::all_links())?);
    let routes = route::routes(dump(route::all_routes())?, &links);
    Ok(links.iter().filter_map(device).chain(routes.iter().filter_map(way)).collect())
}

fn device(link: &Link) -> Option<String> {
    let is_loopback = link.name == "lo" && link.kind.is_none();
    let is_nothing = !link.up() && link.kind.as_deref().is_some_and(is_fallback);
    let kind = link.kind.as_deref().unwrap_or("physical or unknown");
    (!is_loopback && !is_nothing).then(|| format!("device {} ({kind})", link.name))
}

/// Loopback's own routes come with it.
fn way(route: &Route) -> Option<String> {
    let device = route.device.as_deref().unwrap_or("none");
    (device != "lo").then(|| format!("route to {} by device {device}", route.destination))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(name: &str, kind: Option<&str>, flags: u32) -> Link {
        let (kind, address) = (kind.map(str::to_owned), String::new());
        let name = name.to_owned();
        Link { name, index: 2, kind, flags, mtu: None, address, controller: None, queue: None, xdp: false }
    }

    #[test]
    fn only_loopback_and_fallback_devices_that_are_down_are_no_network() {
        const UP: u32 = 1;
        assert_eq!(device(&link("lo", None, UP)), None);
        assert_eq!(device(&link("sit0", Some("sit"), 0)), None);
        assert!(device(&link("sit0", Some("sit"), UP)).is_some());
        assert!(device(&link("eth0", Some("veth"), 0)).is_some());
        assert!(device(&link("lo", Some("dummy"), UP)).is_some());
        assert!(device(&link("enp1s0", None, 0)).is_some());
    }
}
