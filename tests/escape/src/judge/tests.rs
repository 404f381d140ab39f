//! Is an escape seen wherever it shows, and nothing else taken for one?

use super::*;
use crate::catalogue;
use crate::field::{Marks, Names};

fn field() -> Field {
    let marks = Marks { v4: [11, 200, 0, 0].into(), v6: "2600:db:77::".parse().unwrap() };
    let [allowed, allowed_http, unlisted, zone] =
        ["a.example", "b.example", "c.example", "z.example"].map(String::from);
    let names = Names { allowed, allowed_http, unlisted, zone, rebind: None };
    Field { seed: "seed".into(), marks: Some(marks), names: Some(names), ..Field::default() }
}

fn judged(outside: &Outside, reports: &[Report], id: &str) -> (Outcome, String) {
    let verdicts = judge(&field(), &catalogue::all(), reports, outside);
    let escaped = verdicts.iter().filter(|verdict| verdict.outcome == Outcome::Escaped).count();
    let found = verdicts.into_iter().find(|verdict| verdict.id == id).unwrap();
    assert_eq!(escaped, usize::from(found.outcome == Outcome::Escaped), "another one escaped");
    (found.outcome, found.detail)
}

fn token(id: &str) -> Token {
    let place = catalogue::all().iter().position(|item| item.id == id).unwrap();
    Token::of(&field(), id, place as u16)
}

#[test]
fn a_token_in_any_case_anywhere_is_an_escape() {
    let text = format!("GET /{} HTTP/1.1", token("udp-literal").text().to_uppercase());
    let outside = Outside { got: vec![("collector".into(), text.into())], ..Outside::default() };
    assert_eq!(judged(&outside, &[], "udp-literal"), (Outcome::Escaped, "collector".into()));
}

#[test]
fn a_frame_from_or_to_the_mark_is_an_escape() {
    let mut frame = vec![0; 60];
    frame[12] = 8;
    frame[30..34].copy_from_slice(&token("tcp-literal").v4().unwrap().octets());
    let outside = Outside { frames: vec![("host/eth0".into(), frame)], ..Outside::default() };
    assert_eq!(judged(&outside, &[], "tcp-literal").0, Outcome::Escaped);
}

#[test]
fn a_way_that_was_open_is_an_escape_though_nothing_was_sent() {
    let report = |ways: &[&str]| Report {
        id: "vsock".into(),
        tried: vec!["socket of kind 1: ok".into()],
        output: String::new(),
        ways: ways.iter().map(ToString::to_string).collect(),
        ended: Ended::Done,
    };
    let outside = Outside::default();
    let open = judged(&outside, &[report(&["a socket of AF_VSOCK"])], "vsock");
    assert_eq!(open, (Outcome::Escaped, "opened a socket of AF_VSOCK".into()));
    assert_eq!(judged(&outside, &[report(&[])], "vsock").0, Outcome::Contained);
}

#[test]
fn another_run_s_token_is_none() {
    let other = Token::of(&Field { seed: "other".into(), ..field() }, "udp-literal", 0);
    let outside = Outside { got: vec![("collector".into(), other.bytes().to_vec())], ..Outside::default() };
    assert_eq!(judged(&outside, &[], "udp-literal"), (Outcome::Contained, "NO REPORT".into()));
}

#[test]
fn a_secret_in_the_output_is_an_escape_and_what_is_not_applicable_says_why() {
    let report = |id: &str, output: &str, ended| Report {
        id: id.into(),
        tried: vec![],
        output: output.into(),
        ways: vec![],
        ended,
    };
    let reports = [
        report("secret-file", "KEY=hush\n", Ended::Done),
        report("docker-socket", "", Ended::NotApplicable("no such".into())),
    ];
    let outside = Outside { secrets: vec![("file".into(), "hush".into())], ..Outside::default() };
    assert_eq!(judged(&outside, &reports, "secret-file"), (Outcome::Escaped, "read file".into()));
    assert_eq!(judged(&Outside::default(), &reports, "docker-socket"), (Outcome::NotApplicable, "no such".into()));
}
