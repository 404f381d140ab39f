//! How is an engine's filter changed so that nothing opens a socket of AF_VSOCK behind it? What else it lets pass it still lets pass, but for two ways around it:
//! rings (io_uring), and programs of an architecture that has one call for all that is done with sockets, as 32-bit x86 has.

use libc::{AF_VSOCK, EPERM};
use serde_json::{Value, json};

use super::edit::EditError;
use crate::hook::filter::{INT, conditions, index, is_denying, is_either, is_true, names};
use crate::hook::seccomp::{BESIDES, PLAIN, opens_vsock};

/// Families have lower numbers than this (linux, include/linux/socket.h), a power of two.
const FAMILIES: u32 = 64;

/// Changes a filter that lets them be opened, be it in the words of the OCI runtime specification or in those of the files from which engines make these.
///
/// # Errors
/// Where it is no filter.
pub(super) fn close(filter: &mut Value) -> Result<(), EditError> {
    let not = || EditError("linux.seccomp");
    if !opens_vsock(filter) {
        return Ok(());
    }
    let members = filter.as_object_mut().ok_or_else(not)?;
    architectures(members.get_mut("architectures"), |name| PLAIN.contains(&name));
    for of_one in members.get_mut("archMap").and_then(Value::as_array_mut).into_iter().flatten() {
        architectures(of_one.get_mut("subArchitectures"), |name| name != "SCMP_ARCH_X86");
    }
    let is_closed = is_denying(members.get("defaultAction").unwrap_or(&Value::Null));
    let rules = members.entry("syscalls").or_insert(Value::Null);
    let old = match std::mem::take(rules) {
        Value::Null => Vec::new(),
        Value::Array(old) => old,
        _ => return Err(not()),
    };
    let mut changed = Vec::new();
    for mut rule in old {
        if is_denying(&rule["action"]) {
            changed.push(rule);
            continue;
        }
        if is_closed && names(&rule, "socket") {
            changed.extend(apart(&rule));
        }
        let calls = rule.get_mut("names").and_then(Value::as_array_mut);
        let is_empty = calls.is_some_and(|calls| {
            calls.retain(|name| name != "socket" && !BESIDES.iter().any(|besides| name == besides));
            calls.is_empty()
        });
        changed.extend((!is_empty).then_some(rule));
    }
    if !is_closed {
        let is_vsock = masked(INT, AF_VSOCK as u32);
        changed.push(json!({"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": EPERM, "args": [is_vsock]}));
        changed.push(json!({"names": BESIDES, "action": "SCMP_ACT_ERRNO", "errnoRet": EPERM}));
    }
    *rules = Value::Array(changed);
    // Else it would be refused, and nobody be told why.
    if opens_vsock(filter) { Err(not()) } else { Ok(()) }
}

fn architectures(list: Option<&mut Value>, stays: impl Fn(&str) -> bool) {
    if let Some(list) = list.and_then(Value::as_array_mut) {
        list.retain(|name| name.as_str().is_some_and(&stays));
    }
}

/// A rule that lets some sockets pass, as rules that let the same pass but for this family. Of two conditions on one argument either counts for runc.
fn apart(rule: &Value) -> Vec<Value> {
    let all = conditions(rule);
    let groups: Vec<&[Value]> = if is_either(all) { all.chunks(1).collect() } else { vec![all] };
    let of_group = |group: &[Value]| {
        let (family, others): (Vec<Value>, Vec<Value>) = group.iter().cloned().partition(|it| index(it) == 0);
        let fits = |number: u32| {
            let number = u64::from(number);
            number != AF_VSOCK as u64 && family.iter().all(|it| is_true(it, number) == Some(true))
        };
        let one = |block: Value| {
            let mut one = rule.clone();
            one["names"] = json!(["socket"]);
            one["args"] = std::iter::once(block).chain(others.clone()).collect();
            one
        };
        blocks(fits).into_iter().map(one).collect::<Vec<_>>()
    };
    groups.into_iter().flat_map(of_group).collect()
}

/// Conditions that together hold of the families that fit, whatever is in the upper half: runs of them that have their first bits in common.
fn blocks(fits: impl Fn(u32) -> bool) -> Vec<Value> {
    let mut found = Vec::new();
    let mut runs = vec![(0, FAMILIES)];
    while let Some((first, count)) = runs.pop() {
        match (first..first + count).filter(|number| fits(*number)).count() as u32 {
            0 => {}
            all if all == count => found.push(masked(INT & !u64::from(count - 1), first)),
            _ => runs.extend([(first + count / 2, count / 2), (first, count / 2)]),
        }
    }
    found
}

fn masked(mask: u64, bits: u32) -> Value {
    json!({"index": 0, "value": mask, "valueTwo": bits, "op": "SCMP_CMP_MASKED_EQ"})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::filter::{Argument, passes};

    fn condition(index: u64, op: &str, value: u64) -> Value {
        json!({"index": index, "op": format!("SCMP_CMP_{op}"), "value": value, "valueTwo": 0})
    }

    fn allowing(names: Value, conditions: Value) -> Value {
        json!({"names": names, "action": "SCMP_ACT_ALLOW", "args": conditions})
    }

    fn of(family: u32) -> Option<Argument> {
        Some(Argument { index: 0, value: family })
    }

    /// As podman 4.3 hands it to its runtime for a container without CAP_AUDIT_WRITE, and Docker 23.
    fn engines() -> [Value; 2] {
        let filter = |rules: Vec<Value>| {
            json!({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "syscalls": rules,
                "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]})
        };
        let others = allowing(json!(["read", "socketcall", "io_uring_setup", "connect"]), json!([]));
        let podmans = filter(vec![
            others.clone(),
            json!({"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 22,
                "args": [condition(0, "EQ", 16), condition(2, "EQ", 9)]}),
            allowing(json!(["socket"]), json!([condition(2, "NE", 9)])),
            allowing(json!(["socket"]), json!([condition(0, "NE", 16)])),
        ]);
        [podmans, filter(vec![others, allowing(json!(["bind", "socket"]), json!([condition(0, "NE", 40)]))])]
    }

    #[test]
    fn a_filter_of_an_engines_lets_the_same_pass_but_for_sockets_of_vsock_and_the_ways_around_it() {
        for mut filter in engines() {
            let before = filter.clone();
            close(&mut filter).unwrap();
            for family in (0..FAMILIES).filter(|family| *family != 40) {
                assert_eq!(passes(&filter, "socket", of(family)), passes(&before, "socket", of(family)), "{family}");
            }
            assert!(!opens_vsock(&filter) && opens_vsock(&before), "{filter}");
            assert!(passes(&filter, "read", None) && passes(&filter, "connect", None));
            assert_eq!(passes(&filter, "bind", None), passes(&before, "bind", None));
            assert!(!passes(&filter, "socketcall", None) && !passes(&filter, "io_uring_setup", None));
            assert_eq!(filter["architectures"], json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X32"]));
            assert_eq!(filter["defaultErrnoRet"], 38);
            let once = filter.clone();
            close(&mut filter).unwrap();
            assert_eq!(filter, once);
        }
    }

    #[test]
    fn a_filter_that_is_closed_stays_and_one_that_lets_all_pass_denies_what_opens_them() {
        for closed in [json!({"defaultAction": "SCMP_ACT_ERRNO"}), crate::confine::profile()] {
            let mut filter = closed.clone();
            close(&mut filter).unwrap();
            assert_eq!(filter, closed);
        }
        let log = json!({"names": ["socket", "mount"], "action": "SCMP_ACT_LOG"});
        let mut open = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [log, {"names": ["bpf"], "action": "SCMP_ACT_ERRNO"}]});
        close(&mut open).unwrap();
        assert!(!opens_vsock(&open) && !passes(&open, "bpf", None), "{open}");
        assert!([1, 2, 10, 16].into_iter().all(|family| passes(&open, "socket", of(family))), "{open}");
        assert_eq!(open["syscalls"][0]["names"], json!(["mount"]));
    }

    #[test]
    fn what_a_rule_says_of_families_and_of_other_arguments_is_kept_and_nothing_is_added() {
        let second = || condition(1, "EQ", 1);
        type Case = (Value, fn(u32) -> bool);
        let cases: [Case; 4] = [
            (json!([condition(0, "EQ", 2), second()]), |family| family == 2),
            (json!([condition(0, "GT", 38), second()]), |family| family > 38 && family != 40),
            (json!([second(), condition(0, "LE", 41)]), |family| family <= 41 && family != 40),
            // Which runc takes for either.
            (json!([condition(0, "EQ", 3), condition(0, "GE", 40)]), |family| family == 3 || family > 40),
        ];
        for (written, passing) in cases {
            let rule = allowing(json!(["socket"]), written);
            let made = apart(&rule);
            for family in 0..FAMILIES {
                let is_of = |one: &Value| is_true(&conditions(one)[0], u64::from(family)) == Some(true);
                assert_eq!(made.iter().any(is_of), passing(family), "{family} {rule}");
            }
            let others = conditions(&rule).iter().filter(|it| index(it) != 0);
            assert!(made.iter().all(|one| conditions(one)[1..].iter().eq(others.clone())), "{made:?}");
        }
        assert_eq!(apart(&allowing(json!(["socket"]), json!([condition(0, "EQ", 40)]))), Vec::<Value>::new());
    }
}
