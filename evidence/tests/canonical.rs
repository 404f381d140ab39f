//! Is the canonical form the one of RFC 8785?

use bottle_evidence::canonical::{MAX_INTEGER, NoCanonicalForm, ReadError, read, to_bytes};
use serde_json::{Value, json};

fn form(value: &Value) -> String {
    String::from_utf8(to_bytes(value).unwrap()).unwrap()
}

/// Parses leniently and writes canonically.
fn canonical(text: &str) -> String {
    form(&serde_json::from_str(text).unwrap())
}

/// RFC 8785 §3.2.2.
#[test]
fn literals_numbers_and_strings_are_written_as_in_the_rfc() {
    let input = r#"{
        "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]
    }"#;
    let expected = concat!(
        r#"{"literals":[null,true,false],"#,
        r#""numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"#,
        r#""string":"€$\u000f\nA'B\"\\\\\"/"}"#
    );
    assert_eq!(canonical(input), expected);
}

/// RFC 8785 §3.2.3: UTF-16 code units, not code points and not UTF-8 bytes.
#[test]
fn members_are_sorted_by_utf16_code_units() {
    let input = r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#;
    assert_eq!(canonical(input), "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}");
}

/// RFC 8785, appendix B: doubles by their bits.
#[test]
fn doubles_are_written_as_in_the_rfc() {
    for (bits, text) in [
        (0x0000_0000_0000_0000_u64, "0"),
        (0x8000_0000_0000_0000, "0"),
        (0x0000_0000_0000_0001, "5e-324"),
        (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
        (0x4340_0000_0000_0000, "9007199254740992"),
        (0x4430_0000_0000_0000, "295147905179352830000"),
        (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
        (0x44b5_2d02_c7e1_4af6, "1e+23"),
        (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
        (0x444b_1ae4_d6e2_ef50, "1e+21"),
        (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
        (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
        (0x41b3_de43_5555_5553, "333333333.3333332"),
        (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
    ] {
        assert_eq!(form(&json!(f64::from_bits(bits))), text);
    }
}

#[test]
fn an_integer_that_readers_would_round_has_no_form() {
    assert_eq!(form(&json!(MAX_INTEGER)), "9007199254740991");
    assert_eq!(form(&json!(-9_007_199_254_740_991_i64)), "-9007199254740991");
    for value in [json!(MAX_INTEGER + 2), json!(u64::MAX), json!(i64::MIN)] {
        assert!(matches!(to_bytes(&value), Err(NoCanonicalForm::Inexact(_))));
    }
    assert_eq!(form(&json!(MAX_INTEGER + 1)), "9007199254740992");
    assert!(matches!(read::<Value>(b"9007199254740993"), Err(ReadError::Form(_))));
}

#[test]
fn only_the_canonical_form_is_read() {
    read::<Value>(br#"{"a":[1,"x"],"b":null}"#).unwrap();
    for (text, from) in [
        (r#"{"b":null,"a":1}"#, 2),
        (r#"{"a":1 }"#, 6),
        (r#" {"a":1}"#, 0),
        ("{\"a\":1}\n", 7),
        (r#"{"a":1e0}"#, 6),
        (r#"{"a":"\u0061"}"#, 6),
        (r#"{"a":"\/"}"#, 6),
        (r#"{"a":-0}"#, 5),
    ] {
        assert_eq!(read::<Value>(text.as_bytes()), Err(ReadError::NotCanonical(from)), "{text}");
    }
}

#[test]
fn a_member_that_is_there_twice_is_named_at_any_depth() {
    let twice = Err(ReadError::DuplicateField("a".into()));
    assert_eq!(read::<Value>(br#"{"a":1,"a":1}"#), twice);
    assert_eq!(read::<Value>(br#"[{"b":{"a":1,"\u0061":2}}]"#), twice);
    let nasty = read::<Value>("{\"\\u001b at line 1\":1,\"\\u001b at line 1\":1}".as_bytes());
    assert_eq!(nasty, Err(ReadError::DuplicateField("\\u{1b} at line 1".into())));
}

#[test]
fn what_is_no_json_is_refused() {
    for text in ["", "{", "nul", "NaN", "1e999", "[1,]", "\"\u{1}\"", "{}{}", "\u{feff}1"] {
        assert!(matches!(read::<Value>(text.as_bytes()), Err(ReadError::Syntax(_))), "{text}");
    }
    let deep = "[".repeat(100_000);
    assert!(matches!(read::<Value>(deep.as_bytes()), Err(ReadError::Syntax(_))));
    assert!(matches!(read::<Value>(b"\"\xff\""), Err(ReadError::Syntax(_))));
}
