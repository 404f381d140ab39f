//! What else could a value be? With one thing changed at a time, for tests to have it judged.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use serde_json::{Value, json};

/// This value with one member left out, added, repeated in a list, or of another kind, at each place. Values of facts may be anything.
pub fn changes(value: &Value) -> Vec<Value> {
    let mut all: Vec<Value> = [json!(null), json!(true), json!(-1), json!(1.5), json!([[]]), json!({ "x": [] })].into();
    all.extend(value.is_string().then(|| json!("x".repeat(257))));
    all.extend(value.is_number().then(|| json!(1_u64 << 60)));
    match value {
        Value::Object(members) => {
            all.push(with(value, "unknown", json!(1)));
            for (name, member) in members {
                let mut without = value.clone();
                without.as_object_mut().unwrap().remove(name);
                all.push(without);
                let open = name == "value" || (name == "held" || name == "confined");
                let changed = if open { Vec::new() } else { changes(member) };
                all.extend(changed.into_iter().map(|changed| with(value, name, changed)));
            }
        }
        Value::Array(items) => {
            all.push(items.iter().skip(1).cloned().collect());
            all.push(items.iter().chain(items.first()).cloned().collect());
            // What is true of the first and of the last is true of those between.
            for (at, item) in items.iter().enumerate().filter(|(at, _)| *at == 0 || at + 1 == items.len()) {
                all.extend(changes(item).into_iter().map(|changed| {
                    let mut items = items.clone();
                    items[at] = changed;
                    Value::Array(items)
                }));
            }
        }
        _ => {}
    }
    all
}

/// The object with another member in place of this one.
pub fn with(object: &Value, name: &str, member: Value) -> Value {
    let mut object = object.clone();
    object[name] = member;
    object
}
