//! What could become of evidence? Bytes, lines and values, changed at random, and by somebody who knows how to chain and seal.

use bottle_evidence::canonical;
use serde_json::Value;

use super::Random;
use crate::forge::Forge;
use crate::recorded::lines;

/// A byte or a bit more, less or other.
pub fn bytes(random: &mut Random, mut bytes: Vec<u8>) -> Vec<u8> {
    let at = random.below(bytes.len().max(1));
    match random.below(5) {
        _ if bytes.is_empty() => bytes.push(random.number() as u8),
        0 => bytes[at] ^= 1 << random.below(8),
        1 => drop(bytes.remove(at)),
        2 => bytes.insert(at, *random.pick(b" \n{}[]\",:0-e\\\xff\0")),
        3 => bytes.truncate(at),
        _ => {
            let end = (at + random.below(40)).min(bytes.len());
            let copy = bytes[at..end].to_vec();
            bytes.splice(at..at, copy);
        }
    }
    bytes
}

/// Something in a value is another, is gone, is new, or comes in another order.
pub fn value(random: &mut Random, value: &mut Value) {
    match value {
        Value::Object(members) if !members.is_empty() && !random.once_in(8) => {
            let names: Vec<String> = members.keys().cloned().collect();
            let name = random.pick(&names);
            match random.below(8) {
                0 => drop(members.remove(name)),
                1 => drop(members.insert(random.text(), random.value())),
                _ => self::value(random, &mut members[name]),
            }
        }
        Value::Array(items) if !items.is_empty() && !random.once_in(8) => {
            let (one, other) = (random.below(items.len()), random.below(items.len()));
            match random.below(8) {
                0 => drop(items.remove(one)),
                1 => items.insert(one, items[other].clone()),
                2 => items.swap(one, other),
                _ => self::value(random, &mut items[one]),
            }
        }
        Value::String(text) if random.once_in(2) && text.is_ascii() => {
            let changed = bytes(random, text.clone().into_bytes());
            *text = String::from_utf8_lossy(&changed).into_owned();
        }
        Value::Number(number) if random.once_in(2) && number.is_u64() => {
            *value = number.as_u64().unwrap().wrapping_add(1).into();
        }
        _ => *value = random.value(),
    }
}

/// A log with some of its lines changed, and then chained and sealed as if it had been written so, or not.
pub fn log(random: &mut Random, log: &[u8], other: &[u8]) -> Vec<u8> {
    if random.once_in(4) {
        return bytes(random, log.to_vec());
    }
    let mut all = lines(log);
    let chained = !random.once_in(4);
    let mut changed = Vec::new();
    for _ in 0..=random.below(2) {
        let at = random.below(all.len());
        let foreign = random.pick(&lines(other)).clone();
        match random.below(8) {
            0 if all.len() > 1 => drop(all.remove(at)),
            1 => all.insert(at, all[at].clone()),
            2 => {
                let other = random.below(all.len());
                all.swap(at, other);
            }
            3 => all.insert(at, foreign),
            _ => {
                let mut line: Value = serde_json::from_slice(&all[at]).unwrap();
                value(random, &mut line);
                let Ok(bytes) = canonical::to_bytes(&line) else { continue };
                changed.push(bytes.clone());
                all[at] = [&bytes[..], b"\n"].concat();
            }
        }
    }
    if chained { chain(random, &all, &changed) } else { all.concat() }
}

/// These lines with the places, hashes and seals that they would have; of those that were changed themselves mostly what they say.
fn chain(random: &mut Random, lines: &[Vec<u8>], changed: &[Vec<u8>]) -> Vec<u8> {
    lines.iter().fold(Forge::new(), |forge, bytes| rechained(random, forge, bytes.trim_ascii_end(), changed)).bytes
}

fn rechained(random: &mut Random, forge: Forge, bytes: &[u8], changed: &[Vec<u8>]) -> Forge {
    let as_it_is = changed.iter().any(|changed| changed == bytes) && random.once_in(4);
    let line: Value = serde_json::from_slice(bytes).unwrap();
    let (Some(kind), Some(members), false) = (line["kind"].as_str(), line.as_object(), as_it_is) else {
        return forge.raw(bytes);
    };
    let mut members = members.clone();
    let is_placed = |name: &str| {
        ["kind", "prev", "seq"].contains(&name) || (kind == "run.end" && ["count", "head"].contains(&name))
    };
    members.retain(|name, _| !is_placed(name));
    match kind {
        "seal" => forge.seal(),
        "run.end" => forge.end_with(members.into()),
        kind => forge.line(kind, members.into()),
    }
}
