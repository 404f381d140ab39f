//! What may pass a filter of an engine's (`linux.seccomp` of the OCI runtime specification)? Each doubt counts as passing.
//!
//! Runtimes hand it to libseccomp, which compares 64 bits of an argument where the kernel looks at 32 of an int: what a rule says of a number it does not
//! say of the same number with something in its upper half.

use serde_json::Value;

/// The actions by which no call is made. Who is traced is not among them: a tracer inside may let its own child pass.
const DENYING: [&str; 5] =
    ["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP", "SCMP_ACT_ERRNO"];

/// The bits of an argument that the kernel looks at where it takes an int.
pub(crate) const INT: u64 = 0xffff_ffff;

/// An argument of a call, of which the kernel looks at the lower half: which one, and what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Argument {
    pub(crate) index: u64,
    pub(crate) value: u32,
}

/// Whether a call may pass, with this argument if one is given, and with whatever others.
pub(crate) fn passes(filter: &Value, call: &str, argument: Option<Argument>) -> bool {
    let rules = || rules(filter).filter(|rule| names(rule, call));
    let allowed = rules().any(|rule| !is_denying(&rule["action"]) && may_hold(conditions(rule), argument));
    let denied = is_denying(&filter["defaultAction"])
        || rules().any(|rule| is_denying(&rule["action"]) && must_hold(conditions(rule), argument));
    allowed || !denied
}

pub(crate) fn rules(filter: &Value) -> impl Iterator<Item = &Value> {
    filter["syscalls"].as_array().into_iter().flatten()
}

pub(crate) fn names(rule: &Value, call: &str) -> bool {
    rule["names"].as_array().into_iter().flatten().any(|name| name == call)
}

pub(crate) fn is_denying(action: &Value) -> bool {
    action.as_str().is_some_and(|action| DENYING.contains(&action))
}

/// What a rule demands of arguments.
pub(crate) fn conditions(rule: &Value) -> &[Value] {
    rule["args"].as_array().map_or(&[], Vec::as_slice)
}

/// Which argument a condition is about.
pub(crate) fn index(condition: &Value) -> u64 {
    condition["index"].as_u64().unwrap_or_default()
}

/// Of two conditions on one argument runc takes either, and libseccomp neither.
pub(crate) fn is_either(conditions: &[Value]) -> bool {
    let mut indices: Vec<u64> = conditions.iter().map(index).collect();
    indices.sort_unstable();
    indices.windows(2).any(|two| two[0] == two[1])
}

/// Whether it holds of some call with this argument.
fn may_hold(conditions: &[Value], argument: Option<Argument>) -> bool {
    let about = |condition: &&Value| argument.is_some_and(|it| it.index == index(condition));
    let Some(value) = argument.map(|it| it.value) else { return true };
    is_either(conditions) || conditions.iter().filter(about).all(|condition| holds(condition, value).0)
}

/// Whether it holds of every call with this argument.
fn must_hold(conditions: &[Value], argument: Option<Argument>) -> bool {
    let about = |condition: &Value| argument.filter(|it| it.index == index(condition));
    conditions.is_empty()
        || !is_either(conditions)
            && conditions.iter().all(|condition| about(condition).is_some_and(|it| holds(condition, it.value).1))
}

/// Whether a condition holds of some, and whether of every, argument with this lower half. Where the answer changes with the upper half, it
/// does at its least, its most, or at one of the two numbers that are compared with.
fn holds(condition: &Value, lower: u32) -> (bool, bool) {
    let upper = [0, INT, number(condition, "value") >> 32, number(condition, "valueTwo") >> 32];
    let all = upper.map(|half| is_true(condition, half << 32 | u64::from(lower)));
    (all.iter().any(|it| it.unwrap_or(true)), all.iter().all(|it| it.unwrap_or(false)))
}

/// Whether a condition holds of a number (seccomp_rule_add(3)). Nothing where it compares as nobody knows.
pub(crate) fn is_true(condition: &Value, argument: u64) -> Option<bool> {
    let (value, second) = (number(condition, "value"), number(condition, "valueTwo"));
    Some(match condition["op"].as_str()? {
        "SCMP_CMP_NE" => argument != value,
        "SCMP_CMP_EQ" => argument == value,
        "SCMP_CMP_LT" => argument < value,
        "SCMP_CMP_LE" => argument <= value,
        "SCMP_CMP_GE" => argument >= value,
        "SCMP_CMP_GT" => argument > value,
        "SCMP_CMP_MASKED_EQ" => argument & value == second,
        _ => return None,
    })
}

fn number(condition: &Value, member: &str) -> u64 {
    condition[member].as_u64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OF_40: Option<Argument> = Some(Argument { index: 0, value: 40 });

    fn condition(op: &str, value: u64, second: u64) -> Value {
        json!({"index": 0, "op": format!("SCMP_CMP_{op}"), "value": value, "valueTwo": second})
    }

    /// What is said of all numbers with that lower half is what is true of each of them, and what is said of some of one.
    #[test]
    fn a_condition_is_judged_of_all_numbers_with_the_same_lower_half() {
        let upper = [0, 1, 2, 0x8000_0000, 0xffff_fffe, 0xffff_ffff].map(|half: u64| half << 32 | 40);
        let values = [0, 1, 39, 40, 41, INT, 1 << 32, 1 << 32 | 40, 2 << 32 | 41, u64::MAX - 1, u64::MAX];
        for value in values {
            for second in [0, 8, 40, 1 << 32 | 40] {
                for op in ["NE", "EQ", "LT", "LE", "GE", "GT", "MASKED_EQ"] {
                    let of = condition(op, value, second);
                    let is = |number: u64| is_true(&of, number).unwrap();
                    let said = (upper.into_iter().any(is), upper.into_iter().all(is));
                    assert_eq!(holds(&of, 40), said, "{of}");
                }
            }
        }
        for (op, held) in
            [("NE", [39, 41]), ("LT", [39, 39]), ("LE", [39, 40]), ("GE", [40, 41]), ("GT", [41, 41]), ("EQ", [40, 40])]
        {
            assert!(held.iter().all(|it| is_true(&condition(op, 40, 0), *it).unwrap()), "{op}");
        }
        assert_eq!(holds(&condition("NE", 40, 0), 40), (true, false));
        assert_eq!(holds(&condition("MASKED_EQ", INT, 40), 40), (true, true));
        assert_eq!(holds(&condition("MASKED_EQ", u64::MAX, 40), 40), (true, false));
        assert_eq!(holds(&condition("MASKED_EQ", INT, 41), 40), (false, false));
        assert_eq!(holds(&condition("NEVER_HEARD_OF", 0, 0), 40), (true, false));
    }

    #[test]
    fn each_doubt_about_a_rule_lets_the_call_pass() {
        let rule = |action: &str, conditions: Value| json!({"names": ["socket"], "action": format!("SCMP_ACT_{action}"), "args": conditions});
        let filter = |default: &str, rules: Vec<Value>| json!({"defaultAction": format!("SCMP_ACT_{default}"), "syscalls": rules});
        let is_40 = || json!([condition("MASKED_EQ", INT, 40)]);
        let either = json!([condition("NE", 16, 0), condition("NE", 40, 0)]);
        let besides = json!([condition("MASKED_EQ", INT, 40), {"index": 2, "op": "SCMP_CMP_NE", "value": 9}]);
        for (filter, passing) in [
            (json!(null), true),
            (filter("ERRNO", vec![]), false),
            (filter("KILL_PROCESS", vec![rule("ALLOW", json!([condition("EQ", 1, 0)]))]), false),
            (filter("ERRNO", vec![rule("ALLOW", json!(null))]), true),
            (filter("ERRNO", vec![rule("LOG", json!([condition("NE", 40, 0)]))]), true),
            (filter("ERRNO", vec![rule("ALLOW", json!([condition("LT", 40, 0)]))]), false),
            (filter("ERRNO", vec![rule("ALLOW", json!([condition("GT", 40, 0)]))]), true),
            (filter("ERRNO", vec![rule("ALLOW", either)]), true),
            (filter("ERRNO", vec![rule("TRACE", json!([]))]), true),
            (filter("NOTIFY", vec![]), true),
            (filter("TRACE", vec![]), true),
            (filter("ALLOW", vec![]), true),
            (filter("ALLOW", vec![rule("ERRNO", json!([]))]), false),
            (filter("ALLOW", vec![rule("ERRNO", is_40())]), false),
            (filter("ALLOW", vec![rule("ERRNO", json!([condition("EQ", 40, 0)]))]), true),
            (filter("ALLOW", vec![rule("ERRNO", besides)]), true),
            // Which of two counts nobody knows.
            (filter("ALLOW", vec![rule("ERRNO", is_40()), rule("LOG", json!([]))]), true),
            (filter("ERRNO", vec![rule("ERRNO", json!([])), rule("ALLOW", is_40())]), true),
        ] {
            assert_eq!(passes(&filter, "socket", OF_40), passing, "{filter}");
        }
    }
}
