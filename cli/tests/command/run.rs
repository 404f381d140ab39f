//! Does `bottle run` pass on what the command does, and stay quiet? Nothing may be reached, so no network is needed.

use std::process::Command;

use crate::place::{Place, Said};

/// A place whose working directory holds neither evidence nor state.
fn bottle(arguments: &[&str]) -> Said {
    let place = Place::new();
    Said::from(command(&place, arguments).output().expect("the built command"))
}

fn command(place: &Place, arguments: &[&str]) -> Command {
    std::fs::create_dir_all(place.path("project")).expect("a directory");
    let mut command = place.command(&[]);
    command.arg("run").args(arguments).current_dir(place.path("project"));
    command.env("PATH", "/usr/bin:/bin").env("HOME", place.path("home"));
    command
}

#[test]
fn the_commands_output_and_exit_code_pass_through_and_nothing_else_is_said() {
    let said = bottle(&["host", "--", "sh", "-c", "echo out; echo err >&2; exit 7"]);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (7, "out\n", "err\n"));
}

#[test]
fn a_signal_is_128_and_its_number() {
    let said = bottle(&["host", "--", "sh", "-c", "kill -TERM $$"]);
    assert_eq!(said.code, 143, "{}", said.err);
}

#[test]
fn a_command_that_is_not_there_is_127_and_one_that_is_no_program_is_126() {
    let missing = bottle(&["host", "--", "no-such-command"]);
    assert!(missing.code == 127 && missing.err.contains("hint: if the spelling is right"), "{}", missing.err);
    assert_eq!(bottle(&["host", "--", "/etc/passwd"]).code, 126);
}

#[test]
fn another_user_than_the_caller_is_none_in_host() {
    let own = rustix::process::geteuid().as_raw().to_string();
    let same = bottle(&["-u", &own, "host", "--", "id", "-u"]);
    assert_eq!((same.code, same.out.trim()), (0, own.as_str()), "{}", same.err);
    let other = bottle(&["-u", "somebody", "host", "--", "id"]);
    assert_eq!((other.code, other.out.as_str()), (125, ""));
    assert!(other.err.contains("-u somebody: in `host` and `dir:` the command runs as the caller"), "{}", other.err);
    assert!(other.err.contains("hint: leave it out"), "{}", other.err);
}

#[test]
fn a_start_that_is_refused_leaves_no_directory_of_a_run() {
    for arguments in [&["--keep", "x", "host", "--", "true"][..], &["-u", "x", "host", "--", "true"]] {
        let place = Place::new();
        let said = Said::from(command(&place, arguments).output().expect("the built command"));
        assert_eq!(said.code, 125, "{}", said.err);
        let left = std::fs::read_dir(place.path("state/data/runs")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{arguments:?}");
    }
    let place = Place::new();
    let said = Said::from(command(&place, &["host", "--", "true"]).env("BOTTLE_ROOT", "rel").output().expect("bottle"));
    assert_eq!(said.code, 125);
    assert!(
        said.err.contains("BOTTLE_ROOT is rel, which does not begin with a slash\nhint: set BOTTLE_ROOT"),
        "{}",
        said.err
    );
    assert!(!place.path("project/rel").exists());
}

#[test]
fn a_rule_that_never_applies_is_warned_of() {
    let said = bottle(&["--allow", "dns.google", "host", "--", "true"]);
    assert!(said.code == 0 && said.err.contains("warning: --allow dns.google never applies"), "{said:?}");
}

#[test]
fn an_audit_log_that_others_could_read_says_in_what_it_fails() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.write("a.jsonl", "");
    std::fs::set_permissions(place.path("a.jsonl"), PermissionsExt::from_mode(0o644)).expect("a mode");
    let said =
        command(&place, &["--audit", "../a.jsonl", "host", "--", "true"]).output().map(Said::from).expect("bottle");
    assert_eq!(said.code, 125);
    assert!(said.err.contains("a.jsonl is mode 0644, and not closed to others\nhint: chmod 600 "), "{}", said.err);
}

#[test]
fn a_variable_reaches_the_command_only_when_it_is_named() {
    let place = Place::new();
    let echo = ["-e", "A=1", "-e", "B", "host", "--", "sh", "-c", "echo $A $B $C"];
    let output = command(&place, &echo).env("B", "2").env("C", "3").output();
    let said = Said::from(output.expect("the built command"));
    assert_eq!((said.code, said.out.as_str()), (0, "1 2\n"), "{}", said.err);
}

#[test]
fn a_command_keeps_its_own_options_and_after_a_separator_even_its_name_may_look_like_one() {
    let said = bottle(&["host", "echo", "-n", "--allow", "x"]);
    assert_eq!((said.code, said.out.as_str()), (0, "--allow x"), "{}", said.err);
    assert_eq!(bottle(&["host", "--", "-no-such-command"]).code, 127);
}

#[test]
fn an_upstream_proxy_that_can_not_be_used_is_refused_with_a_hint_and_not_shown() {
    for (url, why) in [
        ("https://u:s3cret@proxy.example:443", "TLS to the upstream proxy itself is not built"),
        ("socks5://u:s3cret@proxy.example:1080", "has to be an http:// URL"),
        ("http://u:s3cret@proxy.example", "needs a port"),
    ] {
        let said = bottle(&["--upstream-proxy", url, "host", "--", "touch", "ran"]);
        assert_eq!(said.code, 125, "{}", said.err);
        assert!(said.err.contains(why) && said.err.contains("hint: ") && !said.err.contains("s3cret"), "{}", said.err);
        let place = Place::new();
        let output = command(&place, &["host", "--", "touch", "ran"]).env("BOTTLE_UPSTREAM_PROXY", url).output();
        let said = Said::from(output.expect("the built command"));
        assert!(said.code == 125 && said.err.contains("BOTTLE_UPSTREAM_PROXY is unusable"), "{}", said.err);
    }
}

#[test]
fn evidence_that_the_command_could_write_is_refused_before_anything_runs() {
    let place = Place::new();
    let output = command(&place, &["--audit", "a.jsonl", "host", "--", "touch", "ran"]).output();
    let said = Said::from(output.expect("the built command"));
    assert_eq!(said.code, 125);
    assert!(said.err.contains("which the workload can write") && said.err.contains("hint: "), "{}", said.err);
    assert!(!place.path("project/ran").exists());
}

#[test]
fn a_blocked_destination_is_one_line_and_the_evidence_of_the_run_verifies() {
    let place = Place::new();
    let lookup = "getent hosts evil.example; getent hosts evil.example; true";
    let arguments = ["--audit", "../a.jsonl", "--attestation", "../att.json", "host", "--", "sh", "-c", lookup];
    let said = Said::from(command(&place, &arguments).output().expect("the built command"));
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);
    let blocked = said.err.matches("blocked evil.example: no rule names this destination").count();
    assert_eq!(blocked, 1, "{}", said.err);
    assert!(said.err.contains("to allow it: --allow evil.example"), "{}", said.err);
    assert!(said.err.contains("1 host denied"), "{}", said.err);
    let verified = place.bottle(&["audit", "verify", "a.jsonl", "--attestation", "att.json"]);
    assert_eq!(verified.code, 0, "{}", verified.err);
    assert!(verified.out.contains("deny      evil.example"), "{}", verified.out);
    assert_eq!(place.bottle(&["attest", "verify", "att.json", "--mode", "enforce"]).code, 0);
    assert_eq!(place.bottle(&["attest", "verify", "att.json", "--allow", "x.example"]).code, 20);
}
