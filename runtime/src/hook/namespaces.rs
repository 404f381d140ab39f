//! In which namespaces would a container be? In its own, or in those of the bottle that it joins. One that is not listed is the host's; one
//! with a path is somebody's, who has made it before.

use std::collections::BTreeSet;
use std::path::Path;

use super::configuration::Namespace;
use super::{Configuration, Joined, Refusal};
use crate::ids;
use crate::nested::{self, Nested};
use crate::process;

/// A network namespace with a path may be the container's own all the same: it is measured. In the user namespace of an engine that
/// is an ordinary user's its root is that user, as in one of its own.
pub(super) fn refused(configuration: &Configuration, nested: Option<&Nested>, joined: Option<&Joined>) -> Vec<Refusal> {
    let namespaces = configuration.written.linux.namespaces.iter().flatten();
    let mut kinds = BTreeSet::new();
    let twice = namespaces.filter(|namespace| !kinds.insert(namespace.kind.as_str()));
    let twice: Vec<Refusal> = twice.map(|namespace| Refusal::Twice(namespace.kind.clone())).collect();
    let is_own = |kind: &str| {
        let is_bottles = |path: &Path| kind != "mount" && joined.is_some_and(|joined| joined.shares(kind, path));
        configuration.namespace(kind).is_some_and(|namespace| namespace.joined().is_none_or(is_bottles))
    };
    let network = configuration.namespace("network").is_none().then_some("network");
    let user_is_own = is_own("user") && !maps_root(configuration, nested);
    let user_is_engines = nested.is_some() && configuration.namespace("user").is_none();
    let user = (!user_is_own && !user_is_engines).then_some("user");
    let not_own = ["pid", "ipc", "mount"].into_iter().filter(|kind| !is_own(kind));
    let bottles = maps_bottles(configuration, nested).then_some(Refusal::BottlesIds);
    let twice = twice.into_iter().chain(bottles);
    twice.chain(network.into_iter().chain(user).chain(not_own).map(Refusal::Shared)).collect()
}

/// Whether uid 0 or gid 0 of the host's is somebody inside, though the container has a user namespace. Within an engine's own it is
/// nobody's but the engine's user.
fn maps_root(configuration: &Configuration, nested: Option<&Nested>) -> bool {
    let linux = &configuration.written.linux;
    let mut all = linux.uid_mappings.iter().chain(&linux.gid_mappings).flatten();
    nested.is_none() && all.any(|mapping| mapping.host == 0 && mapping.size > 0)
}

/// Whether somebody inside may be the gate or the dialler of a bottle of root's, and use up what the kernel counts by uid. In an engine's own
/// user namespace these have ids of that one, which it may map.
fn maps_bottles(configuration: &Configuration, nested: Option<&Nested>) -> bool {
    let linux = &configuration.written.linux;
    let mut all = linux.uid_mappings.iter().chain(&linux.gid_mappings).flatten();
    nested.is_none() && all.any(|mapping| ids::are_bottles(mapping.host, mapping.size))
}

/// Whether root inside is the host's, or may be.
pub(super) fn root_is_hosts(configuration: &Configuration, nested: Option<&Nested>) -> bool {
    let is_other = |namespace: &Namespace| namespace.joined().is_none_or(maps_no_root);
    nested.is_none() && (maps_root(configuration, nested) || !configuration.namespace("user").is_some_and(is_other))
}

/// Whether a user namespace that somebody has made maps uid 0 and gid 0 of the caller's to nobody. Only by a process in it can that be told.
fn maps_no_root(path: &Path) -> bool {
    let process = path.parent().filter(|_| path.ends_with("ns/user")).and_then(Path::parent);
    let maps_none = |file: &str| {
        let map = process.and_then(|process| process::text(process.join(file)).ok()).unwrap_or_default();
        nested::lines(&map).is_some_and(|lines| {
            !lines.is_empty() && lines.into_iter().all(|(_, outside, count)| outside != 0 || count == 0)
        })
    };
    ["uid_map", "gid_map"].into_iter().all(maps_none)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Exception;
    use super::super::refusals::tests::{good, refused, refused_within};
    use super::*;

    #[test]
    fn a_namespace_of_the_hosts_or_of_anothers_is_refused() {
        for (at, kind) in ["pid", "ipc", "mount", "network", "user"].into_iter().enumerate() {
            let mut without = good();
            without["linux"]["namespaces"].as_array_mut().unwrap().remove(at);
            assert_eq!(refused(&without, &[Exception::KernelFiles]), [Refusal::Shared(kind)]);
        }
        for (at, kind) in [(0, "pid"), (1, "ipc"), (2, "mount"), (4, "user")] {
            let mut joined = good();
            joined["linux"]["namespaces"][at]["path"] = json!("/proc/1/ns/x");
            assert_eq!(refused(&joined, &[Exception::KernelFiles]), [Refusal::Shared(kind)]);
        }
    }

    #[test]
    fn a_namespace_that_is_listed_twice_is_refused() {
        let mut twice = good();
        let other = json!({"type": "network", "path": "/proc/1/ns/net"});
        twice["linux"]["namespaces"].as_array_mut().unwrap().push(other);
        assert_eq!(refused(&twice, &[]), [Refusal::Twice("network".into())]);
    }

    #[test]
    fn a_user_namespace_whose_root_is_the_hosts_is_the_hosts() {
        for map in ["uidMappings", "gidMappings"] {
            let mut mapped = good();
            mapped["linux"][map] =
                json!([{"containerID": 5, "hostID": 7, "size": 1}, {"containerID": 0, "hostID": 0, "size": 1}]);
            assert_eq!(refused(&mapped, &[Exception::KernelFiles]), [Refusal::Shared("user")]);
            let nested = Nested { user: 1001, ids: 1..65534 };
            assert_eq!(refused_within(Some(&nested), &mapped, &[]), []);
        }
    }

    #[test]
    fn a_user_namespace_with_ids_of_bottles_own_processes_is_refused() {
        for map in ["uidMappings", "gidMappings"] {
            let mut mapped = good();
            let maps = |first: u64, size: u64| json!([{"containerID": 0, "hostID": 100_000, "size": 65536}, {"containerID": 70_000, "hostID": first, "size": size}]);
            for (first, size) in [(1, 4_294_967_293), (0x7000_0000, 1), (0x6fff_ffff, 2), (0x7001_0001, 1)] {
                mapped["linux"][map] = maps(first, size);
                assert_eq!(refused(&mapped, &[]), [Refusal::BottlesIds]);
                // Who may have the host's user namespace may be anybody.
                assert_eq!(refused(&mapped, &[Exception::HostUser]), []);
                let nested = Nested { user: 1001, ids: 1..65534 };
                assert_eq!(refused_within(Some(&nested), &mapped, &[]), []);
            }
            mapped["linux"][map] = maps(0x6fff_0000, 65536);
            assert_eq!(refused(&mapped, &[]), []);
        }
    }

    #[test]
    fn of_a_user_namespace_that_somebody_has_made_it_must_be_known_that_its_root_is_not_the_hosts() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("ns/user");
        let maps = |uids: &str, gids: &str| {
            std::fs::write(place.path().join("uid_map"), uids).unwrap();
            std::fs::write(place.path().join("gid_map"), gids).unwrap();
            maps_no_root(&path)
        };
        let (own, hosts) = ("         0     100000      65536\n", "         0          0 4294967295\n");
        assert!(maps(own, own));
        for (uids, gids) in [(hosts, own), (own, hosts), ("", own), ("nonsense", own), ("0 1 1\n1 0 1\n", own)] {
            assert!(!maps(uids, gids), "{uids} {gids}");
        }
        assert!(!maps_no_root(Path::new("/run/user-namespace")));
    }

    #[test]
    fn the_user_namespace_of_an_ordinary_users_engine_is_not_the_hosts() {
        let mut without = good();
        without["linux"]["namespaces"] = json!([{"type": "pid"}, {"type": "mount"}, {"type": "network"}]);
        let nested = Nested { user: 1001, ids: 1..65534 };
        assert_eq!(refused_within(Some(&nested), &without, &[]), [Refusal::Shared("ipc")]);
    }

    #[test]
    fn what_the_settings_let_pass_is_named_and_what_nothing_can_let_pass_is_refused_all_the_same() {
        let mut hosts = good();
        hosts["linux"]["namespaces"] = json!([{"type": "mount"}]);
        let all = [
            Exception::HostUser,
            Exception::HostIpc,
            Exception::Observe,
            Exception::LaterHooks,
            Exception::KernelFiles,
        ];
        assert_eq!(refused(&hosts, &all), [Refusal::Shared("network"), Refusal::Shared("pid")]);
    }
}
