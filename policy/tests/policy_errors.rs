//! What does a person see for each error in a policy file?
//!
//! `tests/golden/policy_errors.txt` holds pairs: a policy, and what is shown for it.

use bottle_policy::document::Document;

const GOLDEN: &str = include_str!("golden/policy_errors.txt");

fn cases() -> impl Iterator<Item = (&'static str, &'static str)> {
    let cases = GOLDEN.split("===== policy\n").skip(1);
    cases.map(|case| case.split_once("===== shown\n").expect("each policy is followed by what is shown"))
}

#[test]
fn each_error_names_file_line_and_column_with_caret_and_hint() {
    let mut seen = 0;
    for (policy, expected) in cases() {
        let shown = Document::parse(policy, "agent.yaml").expect_err(policy).to_string();
        assert_eq!(shown.trim_end(), expected.trim_end(), "for this policy:\n{policy}");
        seen += 1;
    }
    assert!(seen > 30, "the golden file was read");
}

#[test]
fn every_error_has_a_place_in_the_text() {
    for (policy, _) in cases() {
        let error = Document::parse(policy, "agent.yaml").expect_err(policy);
        for problem in error.problems() {
            assert!(problem.line >= 1 && problem.column >= 1, "{problem:?}");
            assert!(problem.line <= policy.lines().count().max(1), "{problem:?}");
        }
    }
}

#[test]
fn control_characters_of_a_policy_never_reach_the_terminal() {
    for policy in [
        "version: 1\n\"\\e[2J\": 1\n",
        "version: \"\\e[2J\"\n",
        "version: \u{202e}2\n",
        "version: 1\n\"a\u{9b}b\": 1\n",
    ] {
        let shown = Document::parse(policy, "a\u{1b}[2J.yaml").expect_err(policy).to_string();
        let moves = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!shown.chars().any(moves), "{shown:?}");
    }
}

#[test]
fn an_alias_bomb_and_deep_nesting_are_refused_and_not_expanded() {
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nversion: 1\n";
    assert!(Document::parse(bomb, "agent.yaml").is_err());
    let deep = format!("version: 1\ndomains: {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    assert!(Document::parse(&deep, "agent.yaml").is_err());
}
