//! Is there a filter for system calls in a container's configuration, and who decides in it? An empty one is none for runc, one that denies
//! nothing is none for anybody, and one with a listener is whatever that program wants, which may hand descriptors in.

use serde_json::Value;

use super::{Configuration, Refusal};

/// The actions that let a call pass: one writes it down.
const PASSING: [&str; 2] = ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG"];
const ASKING: &str = "SCMP_ACT_NOTIFY";

/// Whether there is a call that it denies.
pub(crate) fn denies(filter: &Value) -> bool {
    let denying = |action: &&str| !PASSING.contains(action) && *action != ASKING;
    actions(filter).any(|action| denying(&action))
}

/// Whether all calls pass by it, and nobody is asked.
pub(crate) fn is_none(filter: &Value) -> bool {
    !denies(filter) && !asks(filter)
}

pub(super) fn refused(configuration: &Configuration) -> Vec<Refusal> {
    asks(&configuration.written.linux.seccomp).then_some(Refusal::SeccompListener).into_iter().collect()
}

/// Whether another program decides by it.
fn asks(filter: &Value) -> bool {
    let listener = filter.get("listenerPath").is_some_and(|path| !path.is_null() && path != "");
    listener || actions(filter).any(|action| action == ASKING)
}

/// Of the calls that it names, and of all others. One that is no text is none that anybody knows.
fn actions(filter: &Value) -> impl Iterator<Item = &str> {
    let named = filter["syscalls"].as_array().into_iter().flatten().filter(|rule| !is_empty(&rule["names"]));
    let all = named.map(|rule| &rule["action"]).chain([&filter["defaultAction"]]);
    all.filter_map(Value::as_str).filter(|action| !action.is_empty())
}

fn is_empty(list: &Value) -> bool {
    list.as_array().is_none_or(Vec::is_empty)
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
            (json!({"defaultAction": "SCMP_ACT_TRACE"}), true),
        ] {
            assert_eq!(denies(&filter), is_one, "{filter}");
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
            assert_eq!(refused(&with, &[]), [Refusal::SeccompListener]);
            assert_eq!(refused(&with, &[Exception::SeccompListener]), []);
        }
    }
}
