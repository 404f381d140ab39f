//! Does a value fit a JSON schema (2020-12)? As much of it as our own schemas use; any other keyword is a panic.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use std::net::IpAddr;

use bottle_evidence::{Digest, Time, hex};
use serde_json::{Map, Value};

/// What says nothing about which values fit.
const NOTES: [&str; 6] = ["$schema", "$id", "$defs", "title", "description", "contentEncoding"];

pub struct Schema(Value);

impl Schema {
    pub fn new(text: &str) -> Schema {
        Schema(serde_json::from_str(text).expect("a schema is JSON"))
    }

    pub fn fits(&self, value: &Value) -> bool {
        self.holds(&self.0, value)
    }

    /// The schema by this name that the document defines.
    pub fn define(&self, name: &str) -> &Value {
        &self.0["$defs"][name]
    }

    fn holds(&self, schema: &Value, value: &Value) -> bool {
        match schema {
            Value::Bool(all) => *all,
            Value::Object(keywords) => {
                keywords.iter().all(|(keyword, says)| self.keyword(keywords, keyword, says, value))
            }
            other => panic!("{other} is no schema"),
        }
    }

    fn keyword(&self, all: &Map<String, Value>, keyword: &str, says: &Value, value: &Value) -> bool {
        let each = || says.as_array().expect("a list of schemas").iter();
        let count = |schema: &Value| {
            value.as_array().map_or(0, |items| items.iter().filter(|item| self.holds(schema, item)).count())
        };
        match keyword {
            _ if NOTES.contains(&keyword) => true,
            "$ref" => self.holds(self.0.pointer(&says.as_str().unwrap()[1..]).expect("a definition"), value),
            "const" => says == value,
            "enum" => each().any(|one| one == value),
            "allOf" => each().all(|one| self.holds(one, value)),
            "anyOf" => each().any(|one| self.holds(one, value)),
            "oneOf" => each().filter(|one| self.holds(one, value)).count() == 1,
            "not" => !self.holds(says, value),
            "if" => !self.holds(says, value) || self.holds(&all["then"], value),
            "then" => all.contains_key("if"),
            "contains" => count(says) > 0,
            "maxContains" => count(&all["contains"]) as u64 <= says.as_u64().unwrap(),
            _ => match value {
                Value::Object(members) => self.of_object(all, keyword, says, members),
                Value::Array(items) => self.of_array(all, keyword, says, items),
                scalar => of_scalar(keyword, says, scalar),
            },
        }
    }

    fn of_object(&self, all: &Map<String, Value>, keyword: &str, says: &Value, members: &Map<String, Value>) -> bool {
        let known = |name: &String| all.get("properties").is_some_and(|properties| properties.get(name).is_some());
        match keyword {
            "type" => says == "object",
            "required" => says.as_array().unwrap().iter().all(|name| members.contains_key(name.as_str().unwrap())),
            "properties" => {
                members.iter().all(|(name, value)| says.get(name).is_none_or(|schema| self.holds(schema, value)))
            }
            "additionalProperties" => members.iter().all(|(name, value)| known(name) || self.holds(says, value)),
            "propertyNames" => members.keys().all(|name| self.holds(says, &name.as_str().into())),
            _ => of_another(keyword),
        }
    }

    fn of_array(&self, all: &Map<String, Value>, keyword: &str, says: &Value, items: &[Value]) -> bool {
        match keyword {
            "type" => says == "array",
            "items" => !all.contains_key("prefixItems") && items.iter().all(|item| self.holds(says, item)),
            "prefixItems" => items.iter().zip(says.as_array().unwrap()).all(|(item, one)| self.holds(one, item)),
            "minItems" => items.len() as u64 >= says.as_u64().unwrap(),
            "maxItems" => items.len() as u64 <= says.as_u64().unwrap(),
            _ => of_another(keyword),
        }
    }
}

fn of_scalar(keyword: &str, says: &Value, value: &Value) -> bool {
    match (keyword, value) {
        ("type", value) => says == kind(value),
        ("maxLength", Value::String(text)) => text.chars().count() as u64 <= says.as_u64().unwrap(),
        ("minLength", Value::String(text)) => text.chars().count() as u64 >= says.as_u64().unwrap(),
        ("pattern", Value::String(text)) => matches(says.as_str().unwrap(), text),
        ("format", Value::String(text)) => is_address(says.as_str().unwrap(), text),
        ("minimum", Value::Number(number)) => number.as_f64() >= says.as_f64(),
        ("maximum", Value::Number(number)) => number.as_f64() <= says.as_f64(),
        _ => of_another(keyword),
    }
}

/// A keyword that is about values of another kind holds; one that nobody knows must not be there.
fn of_another(keyword: &str) -> bool {
    const KNOWN: [&str; 15] = [
        "required",
        "properties",
        "additionalProperties",
        "propertyNames",
        "items",
        "prefixItems",
        "minItems",
        "maxItems",
        "maxLength",
        "minLength",
        "pattern",
        "minimum",
        "maximum",
        "type",
        "format",
    ];
    assert!(KNOWN.contains(&keyword), "the keyword {keyword} is not understood");
    true
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Whether it is an address in the one spelling that we write.
fn is_address(format: &str, text: &str) -> bool {
    text.parse().is_ok_and(|address: IpAddr| {
        let right = match format {
            "ipv4" => address.is_ipv4(),
            "ipv6" => address.is_ipv6(),
            other => panic!("the format {other} is not understood"),
        };
        right && address.to_string() == text
    })
}

/// The patterns that our schemas have, each by what reads such a text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern {
        "^[0-9a-f]{64}$" => text.parse::<Digest>().is_ok(),
        "^[0-9a-f]{128}$" => hex::decode::<64>(text).is_some(),
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$" => text.parse::<Time>().is_ok(),
        other => panic!("the pattern {other} is not understood"),
    }
}
