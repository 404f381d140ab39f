//! Is a secret found however it is written, and is what is none left alone?

use base64ct::{Base64, Base64Url};

use super::*;

const VALUE: &str = "Tr0ub4dor&3/x";

fn secrets() -> Secrets {
    let secrets = Secrets::new([9; 32]);
    secrets.add("TOKEN", VALUE.as_bytes());
    secrets
}

/// The text, with each mark without its tag.
fn redacted(secrets: &Secrets, text: &str) -> String {
    untagged(&secrets.redact(text))
}

fn untagged(text: &str) -> String {
    let mut pieces = text.split(" #");
    let first = pieces.next().unwrap().to_owned();
    pieces.fold(first, |shown, piece| shown + &piece[6..])
}

#[test]
fn a_value_is_found_in_each_of_its_spellings() {
    let percent: String = VALUE.bytes().map(|byte| format!("%{byte:02x}")).collect();
    for (text, expected) in [
        (VALUE.to_owned(), "[redacted TOKEN]"),
        (format!("x{VALUE}y"), "x[redacted TOKEN]y"),
        (VALUE.to_uppercase(), "[redacted TOKEN]"),
        ("tr0ub.4dor&3/x.evil.example".into(), "[redacted TOKEN].evil.example"),
        (format!("{}.evil.example", hex::encode(VALUE.as_bytes())), "[redacted TOKEN].evil.example"),
        (hex::encode(VALUE.as_bytes()).to_uppercase(), "[redacted TOKEN]"),
        (percent, "[redacted TOKEN]"),
        ("Tr0ub4dor%263%2Fx".into(), "[redacted TOKEN]"),
        (format!("{VALUE} and {VALUE}"), "[redacted TOKEN] and [redacted TOKEN]"),
    ] {
        assert_eq!(redacted(&secrets(), &text), expected, "{text}");
    }
    for (before, after) in [("", ""), ("a", ""), ("ab", "c"), ("abc", "de"), ("key=", "&x=1")] {
        let whole = format!("{before}{VALUE}{after}");
        for text in [Base64::encode_string(whole.as_bytes()), Base64Url::encode_string(whole.as_bytes())] {
            for text in [text.to_lowercase(), text] {
                let left = redacted(&secrets(), &text).replace("[redacted TOKEN]", "");
                // What is left belongs to what is around it, but for a part of a letter.
                assert!(
                    left.len() <= (before.len() + after.len()) * 8 / 6 + 6 && text.len() - left.len() >= 16,
                    "{text}: {left}"
                );
            }
        }
    }
}

#[test]
fn what_is_no_secret_is_left_alone() {
    let secrets = secrets();
    for (name, value) in
        [("SHORT", "abc1234"), ("HOST", "api.allowed.example"), ("LEVEL", "debug"), ("PATH", "/usr/local/bin:/usr/bin")]
    {
        secrets.add(name, value.as_bytes());
    }
    for text in [
        "",
        "abc1234",
        "api.allowed.example",
        "debug",
        "Tr0ub4dor&3",
        "/usr/local/bin:/usr/bin",
        "tr0ub4dor.example",
        "domains[0] at 5:5",
        "…[+3 bytes]",
    ] {
        assert_eq!(secrets.redact(text), text);
    }
    assert_eq!(Secrets::default().redact(VALUE), VALUE, "nothing is known");
}

#[test]
fn a_dotted_token_that_is_no_hosts_name_is_a_secret() {
    let secrets = Secrets::new([0; 32]);
    secrets.add("BOT", b"MTk4NjIy.Cl2FMQ.ZnCjm1XVW7vRze4b");
    assert_eq!(redacted(&secrets, "mtk4njiycl2fmqzncjm1xvw7vrze4b.evil.example"), "[redacted BOT].evil.example");
}

#[test]
fn what_was_redacted_can_be_told_apart_and_says_nothing_else() {
    let (one, other) = (secrets(), Secrets::new([8; 32]));
    other.add("TOKEN", VALUE.as_bytes());
    let hexed = hex::encode(VALUE.as_bytes());
    assert_ne!(one.redact(VALUE), one.redact(&hexed));
    assert_eq!(one.redact(VALUE), one.redact(VALUE));
    assert_ne!(one.redact(VALUE), other.redact(VALUE), "by a key that nobody knows");
}

#[test]
fn of_a_long_value_each_piece_is_found() {
    let long: String = (0..400_u32).map(|number| char::from(b'a' + (number * number / 7 % 26) as u8)).collect();
    let secrets = Secrets::new([1; 32]);
    secrets.add("PEM", long.as_bytes());
    for at in (0..360).step_by(17) {
        assert_eq!(
            redacted(&secrets, &format!("{}.9.example", &long[at..at + 40])),
            "[redacted PEM].9.example",
            "{at}"
        );
    }
    let hexed = hex::encode(&long.as_bytes()[100..131]);
    assert_eq!(redacted(&secrets, &format!("{hexed}.x.example")), "[redacted PEM].x.example");
    assert_eq!(secrets.redact(&long[..20]), long[..20], "too little of it to be told");
}

#[test]
fn a_text_that_was_cut_within_a_secret_shows_none_of_what_may_be_one() {
    let text = format!("/tmp/{}…[+99 bytes]", &VALUE[..9]);
    assert_eq!(redacted(&secrets(), &text), "/tmp/[redacted TOKEN]…[+99 bytes]");
}

#[test]
fn a_value_of_one_letter_does_not_take_long_to_look_for() {
    let secrets = Secrets::new([1; 32]);
    secrets.add("AAAA", "a".repeat(100_000).as_bytes());
    let text = format!("{}b", "a".repeat(31)).repeat(1000);
    assert_eq!(secrets.redact(&text), text);
}

#[test]
fn letters_that_are_not_ascii_are_replaced_as_a_whole() {
    let secrets = Secrets::new([1; 32]);
    secrets.add("WORD", "pässwörter".as_bytes());
    assert_eq!(redacted(&secrets, "x-pässwörter-ü"), "x-[redacted WORD]-ü");
    assert_eq!(redacted(&secrets, "p%C3%A4ssw%c3%b6rter"), "[redacted WORD]");
}

#[test]
fn tokens_in_a_command_are_known_by_their_shape() {
    let fill = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";
    for (word, expected) in [
        (format!("ghp_{fill}"), "[redacted token]".to_owned()),
        (format!("--token=ghp_{fill}"), "--token=[redacted token]".into()),
        (format!("sk-proj-{fill}"), "[redacted token]".into()),
        (format!("github_pat_{fill}!"), "[redacted token]!".into()),
        ("AKIAIOSFODNN7EXAMPLE".into(), "[redacted token]".into()),
        (format!("Authorization: Bearer {fill}"), "Authorization: Bearer [redacted token]".into()),
        (format!("eyJhbGciOiJIUzI1NiJ9.{fill}.{fill}"), "[redacted token]".into()),
        ("https://user:pass@git.example/x".into(), "https://[redacted token]@git.example/x".into()),
        ("-----BEGIN PRIVATE KEY-----\nx".into(), "[redacted token]".into()),
    ] {
        let shown = secrets().redact_command([word.as_str()]);
        assert_eq!(untagged(&shown[0]), expected, "{word}");
    }
    for word in [
        "npm",
        "sk-learn",
        "task-force-of-people-in-a-row-here",
        "git@github.example:a/b",
        "https://a.example:8080/x@y",
        "Bearer x",
    ] {
        assert_eq!(secrets().redact_command([word]), [word]);
    }
}
