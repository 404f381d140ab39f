//! Is there a filter for system calls in a container's configuration, and who decides in it? An empty one is none for runc, one that denies
//! nothing is none for anybody, and one with a listener is whatever that program wants, which may hand descriptors in. Sockets of AF_VSOCK, which belong to
//! no network namespace and so pass every airlock, are a filter's alone to deny.

use libc::AF_VSOCK;
use serde_json::Value;

use super::filter::{Argument, passes, rules};
use super::{Configuration, Refusal};
use crate::confine;

const ASKING: &str = "SCMP_ACT_NOTIFY";

/// The family of a socket, of which the kernel looks at 32 bits.
const VSOCK: Argument = Argument { index: 0, value: AF_VSOCK as u32 };

/// Those in which a program makes sockets by a call of its own. In others it may by one for all that is done with sockets (socketcall(2)),
/// whose arguments lie in memory, where no filter looks; what becomes of a rule for the one in the other is libseccomp's to say.
pub(crate) const PLAIN: [&str; 4] = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"];

/// Calls that make sockets of any family besides: in a ring (IORING_OP_SOCKET), or for an architecture that is not plain.
pub(crate) const BESIDES: [&str; 2] = ["io_uring_setup", "socketcall"];

/// Whether there is a call of the kernel's that it denies, whatever its arguments are.
pub(crate) fn denies(filter: &Value) -> bool {
    confine::calls().any(|call| !passes(filter, call, None))
}

/// Whether no call is denied by it, and nobody is asked.
pub(crate) fn is_none(filter: &Value) -> bool {
    !denies(filter) && !asks(filter)
}

/// Whether a socket of AF_VSOCK may be opened behind it.
pub(crate) fn opens_vsock(filter: &Value) -> bool {
    let architectures = filter["architectures"].as_array().into_iter().flatten();
    let is_plain = |name: &Value| name.as_str().is_some_and(|name| PLAIN.contains(&name));
    let all_are_plain = architectures.into_iter().all(is_plain);
    passes(filter, "socket", Some(VSOCK))
        || passes(filter, "io_uring_setup", None)
        || !all_are_plain && ["socket", "socketcall"].into_iter().any(|call| passes(filter, call, None))
}

pub(super) fn refused(configuration: &Configuration) -> Vec<Refusal> {
    let filter = &configuration.written.linux.seccomp;
    let asks = asks(filter).then_some(Refusal::SeccompListener);
    asks.into_iter().chain(opens_vsock(filter).then_some(Refusal::Vsock)).collect()
}

/// Whether another program decides by it.
fn asks(filter: &Value) -> bool {
    let listener = filter.get("listenerPath").is_some_and(|path| !path.is_null() && path != "");
    let named = rules(filter).filter(|rule| !rule["names"].as_array().is_none_or(Vec::is_empty));
    let mut actions = named.map(|rule| &rule["action"]).chain([&filter["defaultAction"]]);
    listener || actions.any(|action| action == ASKING)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::refusals::tests::{good, refused};
    use super::super::{Exception, Refusal};
    use super::*;

    #[test]
    fn a_filter_that_denies_nothing_is_none() {
        let rule = |action: &str, names: &[&str]| json!([{"names": names, "action": action}]);
        for (filter, is_one) in [
            (json!(null), false),
            (json!({}), false),
            (json!({"syscalls": []}), false),
            (json!({"defaultAction": "SCMP_ACT_ALLOW"}), false),
            (json!({"defaultAction": "SCMP_ACT_LOG", "syscalls": rule("SCMP_ACT_ALLOW", &["read"])}), false),
            (json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rule("SCMP_ACT_ERRNO", &[])}), false),
            (json!({"defaultAction": "SCMP_ACT_NOTIFY"}), false),
            (json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rule("SCMP_ACT_ERRNO", &["bpf"])}), true),
            (json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rule("SCMP_ACT_ALLOW", &["read"])}), true),
            // A tracer inside lets its own child pass.
            (json!({"defaultAction": "SCMP_ACT_TRACE"}), false),
            (json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rule("SCMP_ACT_ERRNO", &["no_such_call"])}), false),
            (
                json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO",
                "args": [{"index": 0, "value": u32::MAX, "op": "SCMP_CMP_EQ"}]}]}),
                false,
            ),
            (json!({"defaultAction": "SCMP_ACT_NEVER_HEARD_OF"}), false),
            (
                json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rule("SCMP_ACT_ALLOW", &confine::calls().collect::<Vec<_>>())}),
                false,
            ),
        ] {
            assert_eq!(denies(&filter), is_one, "{filter}");
        }
    }

    /// As podman 4.3 and Docker have it for sockets, the second one without 32-bit programs and rings.
    #[test]
    fn a_filter_that_lets_sockets_of_vsock_be_opened_is_refused() {
        let closed = good()["linux"]["seccomp"].clone();
        let engines = |condition: Value| {
            json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
                {"names": ["read", "connect"], "action": "SCMP_ACT_ALLOW"},
                {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [condition]},
            ]})
        };
        let is = |op: &str, value: u64| json!({"index": 0, "op": format!("SCMP_CMP_{op}"), "value": value});
        let with = |filter: &Value, member: &str, value: Value| {
            let mut with = filter.clone();
            with[member] = value;
            with
        };
        let and = |call: &str| {
            let mut and = engines(is("EQ", 2));
            and["syscalls"].as_array_mut().unwrap().push(json!({"names": [call], "action": "SCMP_ACT_ALLOW"}));
            and
        };
        let both = json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]);
        for (filter, opens) in [
            (closed.clone(), false),
            (confine::profile(), false),
            (engines(is("EQ", 2)), false),
            (engines(is("LT", 40)), false),
            (and("bind"), false),
            (json!({"defaultAction": "SCMP_ACT_ERRNO"}), false),
            (with(&json!({"defaultAction": "SCMP_ACT_ERRNO"}), "architectures", both.clone()), false),
            (with(&closed, "architectures", json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X32"])), false),
            (json!(null), true),
            (json!({"defaultAction": "SCMP_ACT_ALLOW"}), true),
            (engines(is("NE", 16)), true),
            // The kernel does not look at the upper half, and libseccomp does.
            (engines(is("NE", 40)), true),
            (with(&closed, "architectures", both.clone()), true),
            (with(&engines(is("EQ", 2)), "architectures", both), true),
            (and("io_uring_setup"), true),
        ] {
            assert_eq!(opens_vsock(&filter), opens, "{filter}");
            let mut container = good();
            container["linux"]["seccomp"] = filter;
            let expected = if opens { vec![Refusal::Vsock] } else { Vec::new() };
            assert_eq!(refused(&container, &[]), expected);
            assert_eq!(refused(&container, &[Exception::Vsock]), []);
        }
    }

    #[test]
    fn a_filter_by_which_another_program_decides_is_refused() {
        let asking = json!([{"names": ["mount"], "action": "SCMP_ACT_NOTIFY"}]);
        for filter in [
            json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": asking}),
            json!({"defaultAction": "SCMP_ACT_NOTIFY"}),
            json!({"defaultAction": "SCMP_ACT_ERRNO", "listenerPath": "/run/agent.sock"}),
        ] {
            let mut with = good();
            with["linux"]["seccomp"] = filter;
            assert_eq!(refused(&with, &[Exception::Vsock]), [Refusal::SeccompListener]);
            assert_eq!(refused(&with, &[Exception::Vsock, Exception::SeccompListener]), []);
        }
    }
}
