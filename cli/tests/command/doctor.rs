//! Does `bottle doctor` try what it says it tries? What each finding means is tested beside the code.

use crate::place::Place;

#[test]
fn every_check_has_an_answer_and_the_exit_code_follows_from_them() {
    let said = Place::new().bottle(&["doctor", "--json"]);
    let answer = said.json();
    let checks = answer["checks"].as_array().expect("a list");
    let blocked = checks.iter().any(|check| check["blocks"] == true && check["state"] != "yes");
    assert_eq!(answer["usable"], !blocked);
    assert_eq!(said.code, i32::from(blocked), "{}", said.err);
    assert_eq!(blocked, said.err.contains("can run here") || said.err.contains("cannot run here"), "{}", said.err);
}

#[test]
fn text_has_one_line_for_each_check() {
    let place = Place::new();
    let checks = place.bottle(&["doctor", "--json"]).json()["checks"].clone();
    let said = place.bottle(&["doctor"]);
    assert!(said.code != 0 || said.out.ends_with("\nbottle can run here\n"), "{}", said.out);
    for check in checks.as_array().expect("a list") {
        let what = check["what"].as_str().expect("a name");
        assert_eq!(said.out.lines().filter(|line| line.starts_with(&format!("{what} "))).count(), 1, "{what}");
    }
}

#[test]
fn a_limit_of_zero_namespaces_is_found_and_mended() {
    // A user namespace's own limit is set from inside: nothing of the host's is touched.
    let place = Place::new();
    let bottle = place.command(&[]).get_program().to_owned();
    let script = "echo 0 > /proc/sys/user/max_net_namespaces; exec \"$0\" doctor";
    let output = std::process::Command::new("unshare")
        .args(["-Ur", "sh", "-c", script])
        .arg(bottle)
        .env("BOTTLE_ROOT", place.path("state"))
        .output()
        .expect("unshare, of util-linux");
    let said = crate::place::Said::from(output);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("network namespaces    NO"), "{}", said.out);
    assert!(said.out.contains("mend:    sudo sysctl -w user.max_net_namespaces=15000"), "{}", said.out);
    assert!(said.out.contains("veth                  unknown"), "{}", said.out);
}

#[test]
fn each_limit_is_tried_and_what_can_not_be_set_has_a_mend() {
    let answer = Place::new().bottle(&["doctor", "--json"]).json();
    for what in ["--memory", "--cpus", "--pids-limit", "higher --ulimit"] {
        let check = answer["checks"].as_array().expect("a list").iter().find(|check| check["what"] == what);
        let check = check.unwrap_or_else(|| panic!("{what}: {answer}"));
        assert!(check["state"] == "yes" || check["state"] == "no" && check["mend"].is_string(), "{check}");
    }
}

#[test]
fn an_evidence_directory_that_cannot_be_made_blocks() {
    let place = Place::new();
    place.write("file", "");
    let said = place.command(&["doctor"]).env("BOTTLE_ROOT", place.path("file")).output().map(crate::place::Said::from);
    let said = said.expect("the built command");
    assert_eq!(said.code, 1);
    assert!(said.out.contains("evidence directory    NO"), "{}", said.out);
}

#[test]
fn hooks_that_podman_would_leave_out_are_told() {
    let place = Place::new();
    let conf = format!("[engine]\nhooks_dir = [\"{}\"]\n", place.path("hooks.d").display());
    for directory in ["settings/containers", "hooks.d"] {
        std::fs::create_dir_all(place.path(directory)).expect("a directory");
    }
    place.write("settings/containers/containers.conf", &conf);
    place.write("hooks.d/a.json", r#"{"hook": {"path": "/nowhere/bottle", "args": ["bottle", "hook", "create"]}}"#);
    let output = place.command(&["doctor"]).env("XDG_CONFIG_HOME", place.path("settings")).output().expect("bottle");
    let said = crate::place::Said::from(output);
    let told = format!("{} calls /nowhere/bottle", place.path("hooks.d/a.json").display());
    assert!(said.out.contains("hooks of engines      no") && said.out.contains(&told), "{said:?}");
}
