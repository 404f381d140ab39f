//! Does the JSON schema say what the parser accepts?

use std::collections::BTreeSet;

use bottle_policy::{document::Document, schema::SCHEMA};
use serde_json::Value;

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("the schema is JSON")
}

fn keys(at: &str) -> BTreeSet<String> {
    let schema = schema();
    let object = schema.pointer(at).expect(at);
    assert_eq!(object["additionalProperties"], Value::Bool(false), "{at}");
    object["properties"].as_object().expect(at).keys().cloned().collect()
}

/// The parser's own list: it names every key it knows when it meets one that it does not.
fn accepted(policy: &str) -> BTreeSet<String> {
    let error = Document::parse(policy, "x").expect_err(policy);
    let hint = error.problems()[0].hint.clone().expect("a hint");
    let list = hint.strip_prefix("the keys here are: ").expect(&hint);
    list.split(", ").map(str::to_owned).collect()
}

#[test]
fn the_schema_names_exactly_the_keys_that_the_parser_accepts() {
    let places = [
        ("", "zzz: 1\n"),
        ("/$defs/domain", "version: 1\ndomains: [{zzz: 1}]\n"),
        ("/$defs/range", "version: 1\nip_ranges: [{zzz: 1}]\n"),
    ];
    for (at, policy) in places {
        assert_eq!(keys(at), accepted(policy), "{at}");
    }
    for (at, list) in [("/properties/doh", "doh"), ("/properties/dns", "dns")] {
        let unknown = Document::parse(&format!("version: 1\n{list}: {{zzz: false}}\n"), "x").expect_err(list);
        let hint = unknown.problems()[0].hint.clone().expect("a hint");
        assert!(keys(at).iter().all(|key| hint.contains(key)), "{hint}");
    }
}

#[test]
fn the_schema_requires_exactly_what_the_parser_requires() {
    let required = |at: &str| schema().pointer(at).expect(at)["required"].to_string();
    assert_eq!(required(""), r#"["version"]"#);
    assert_eq!(required("/$defs/domain"), r#"["pattern"]"#);
    assert_eq!(required("/$defs/range"), r#"["cidr"]"#);
    for policy in
        ["mode: enforce\n", "version: 1\ndomains: [{ports: [1]}]\n", "version: 1\nip_ranges: [{ports: [1]}]\n"]
    {
        let error = Document::parse(policy, "x").expect_err(policy);
        assert!(error.problems()[0].what.contains("is missing"));
    }
}

#[test]
fn the_parser_takes_every_value_that_an_enum_of_the_schema_lists() {
    let places = [
        ("/properties/version", "version: VALUE\n"),
        ("/properties/mode", "version: 1\nmode: VALUE\n"),
        ("/properties/default_policy", "version: 1\nmode: observe\ndefault_policy: VALUE\n"),
        ("/properties/doh/properties/enabled", "version: 1\ndoh: {enabled: VALUE}\n"),
        ("/properties/dns/properties/allow_authoritative", "version: 1\ndns: {allow_authoritative: VALUE}\n"),
        ("/$defs/domain/properties/protocol", "version: 1\ndomains: [{pattern: a.example, protocol: VALUE}]\n"),
    ];
    for (at, policy) in places {
        let schema = schema();
        for value in schema.pointer(at).expect(at)["enum"].as_array().expect(at) {
            let policy = policy.replace("VALUE", &value.to_string());
            assert!(Document::parse(&policy, "x").is_ok(), "{policy}");
        }
    }
}
