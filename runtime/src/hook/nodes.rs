//! May a container make device nodes that it could open? CAP_MKNOD makes any, where root is the host's; that it opens none is its control group's doing, if
//! it is in one that denies devices.

use std::fs::File;
use std::os::fd::AsFd;

use super::{Configuration, Refusal, capabilities, devices, namespaces};
use crate::cgroups::Seen;
use crate::nested::Nested;
use crate::{process, sys};

const CAPABILITY: &str = "MKNOD";

/// Of what its engine's runtime is told.
pub(super) fn refused(configuration: &Configuration, nested: Option<&Nested>) -> Option<Refusal> {
    (makes_nodes(configuration, nested) && !devices::are_denied(configuration)).then_some(Refusal::Nodes)
}

/// Of what was made of it: an engine may have made no group, whatever the configuration says.
pub(super) fn by(pid: u32, configuration: &Configuration, nested: Option<&Nested>) -> Option<Refusal> {
    (makes_nodes(configuration, nested) && !is_in_a_group(pid)).then_some(Refusal::Nodes)
}

/// In a user namespace of its own nobody makes any (mknod(2)).
fn makes_nodes(configuration: &Configuration, nested: Option<&Nested>) -> bool {
    capabilities::has(configuration, CAPABILITY) && namespaces::root_is_hosts(configuration, nested)
}

/// Whether it can be seen that devices are denied to it: by a list that does not begin with all of them, or by a program, of which its engine alone knows what it
/// says.
fn is_in_a_group(pid: u32) -> bool {
    let [one, two] = Seen::of(pid).map(|seen| seen.of_devices()).unwrap_or_default();
    let by_list =
        one.and_then(|group| process::text(group.join("devices.list")).ok()).is_some_and(|list| denies(&list));
    let programs = || sys::device_programs(File::open(two?).ok()?.as_fd()).ok();
    by_list || programs().is_some_and(|count| count > 0)
}

/// Of all devices there is a line of the type `a` (linux, Documentation/admin-guide/cgroup-v1/devices.rst).
fn denies(list: &str) -> bool {
    !list.lines().any(|line| line.starts_with('a'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Exception;
    use super::super::refusals::tests::{good, read, refused};
    use super::*;

    #[test]
    fn who_makes_nodes_as_the_hosts_root_must_be_denied_devices() {
        let mut hosts = good();
        hosts["linux"]["namespaces"].as_array_mut().unwrap().pop();
        hosts["linux"]["maskedPaths"] = json!(["/proc/kcore"]);
        hosts["linux"]["readonlyPaths"] = json!(["/proc/bus", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]);
        let of_null = json!({"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm"});
        for (rules, denied) in [
            (json!(null), false),
            (json!([]), false),
            (json!([{"allow": false, "access": "rwm"}]), true),
            (json!([{"allow": false}]), true),
            (json!([{"allow": false, "type": "a", "major": -1, "minor": -1, "access": "mrw"}, of_null]), true),
            (json!([of_null]), false),
            (json!([{"allow": false, "access": "m"}]), false),
            (json!([{"allow": false, "type": "b", "access": "rwm"}]), false),
            (json!([{"allow": false, "type": "a", "major": 8, "access": "rwm"}]), false),
        ] {
            let mut with = hosts.clone();
            with["linux"]["resources"] = json!({"devices": rules});
            assert_eq!(refused(&with, &[Exception::HostUser]), [], "{rules}");
            with["process"]["capabilities"]["bounding"] = json!(["CAP_MKNOD"]);
            let expected = if denied { vec![] } else { vec![Refusal::Nodes] };
            assert_eq!(refused(&with, &[Exception::HostUser]), expected, "{rules}");
            assert_eq!(refused(&with, &[Exception::HostUser, Exception::OtherCapabilities]), []);
            // In a user namespace of its own it makes none.
            with["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
            assert_eq!(refused(&with, &[]), [], "{rules}");
        }
    }

    #[test]
    fn a_process_that_is_in_no_group_of_its_own_is_not_shown_to_be_denied_devices() {
        let mut makes = good();
        makes["linux"]["namespaces"].as_array_mut().unwrap().pop();
        makes["process"]["capabilities"]["ambient"] = json!(["mknod"]);
        assert_eq!(by(std::process::id(), &read(&good()), None), None);
        assert!(denies("b *:* m\nc 1:3 rwm\n") && denies("") && !denies("a *:* rwm\n"));
        // Whoever runs this is in a group that denies devices, or is not; one that is gone is in none.
        assert_eq!(by(0x3fff_ffff, &read(&makes), None), Some(Refusal::Nodes));
    }
}
