//! Does the attestation say whose ids a run had, and are they those that were planned?

use serde_json::{Value, json};

use crate::place::{Place, Said, Whose, granted, own, text};

/// The facts of a run with these options: the workload's process, and init's.
fn measured(place: &Place, options: &[&str]) -> (Value, Value) {
    let attestation = place.path("attestation.json");
    let options = [&["--attestation", text(&attestation)], options].concat();
    place.shell(&options, "true").ok();
    let shown = place.bottle(&["attest", "show", "--json", text(&attestation)]);
    let shown: Value = serde_json::from_str(shown.ok()).unwrap();
    let fact = |name: &str| find(&shown, name).unwrap_or_else(|| panic!("{name}: {shown}"))["value"].clone();
    (fact("workload.process"), fact("init.process"))
}

/// The value of a key, wherever it is.
fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(map) => map.get(key).or_else(|| map.values().find_map(|value| find(value, key))),
        Value::Array(list) => list.iter().find_map(|value| find(value, key)),
        _ => None,
    }
}

fn four(id: u32) -> Value {
    json!([id; 4].map(|id| id.to_string()).join(" "))
}

#[test]
fn another_user_is_another_id_outside_too_and_the_maps_are_those_that_were_planned() {
    let place = Place::loaded(&json!({}));
    let ((uid, gid), (process, init)) = (own(), measured(&place, &["-u", "1000:1000"]));
    match place.whose() {
        Whose::Nobodys => assert_ne!(process["uids"], four(0)),
        Whose::Callers => {
            assert_eq!((&process["uids"], &process["gids"]), (&four(uid), &four(gid)));
            assert_eq!(process["uid_map"], json!([format!("1000 {uid} 1")]));
            assert_eq!(process["gid_map"], json!([format!("1000 {gid} 1")]));
        }
        Whose::Range => {
            let (uids, gids) = (granted("/etc/subuid"), granted("/etc/subgid"));
            assert_eq!((&process["uids"], &process["gids"]), (&four(uids + 1000), &four(gids + 1000)));
            assert_eq!(process["groups"], json!(""));
            assert_eq!(process["uid_map"], json!([format!("0 {uid} 1"), format!("1 {} 65535", uids + 1)]));
            assert_eq!(process["gid_map"], json!([format!("0 {gid} 1"), format!("1 {} 65535", gids + 1)]));
            assert_eq!(init["uid_map"], json!([format!("{uid} {uid} 1"), format!("{uids} {uids} 65536")]));
        }
    }
}

#[test]
fn a_command_with_several_ids_is_confined_as_one_with_one() {
    let mut place = Place::loaded(&json!({}));
    let (several, _) = measured(&place, &["-u", "33:34"]);
    let (one, _) = measured(place.without_range(), &["-u", "33:34"]);
    for what in ["capabilities", "no_new_privs", "seccomp", "seccomp_filters", "mounts", "descriptors"] {
        assert!(!one[what].is_null(), "{what}");
        assert_eq!(several[what], one[what], "{what}");
    }
}

#[test]
fn where_something_is_shared_the_caller_is_the_command() {
    let place = Place::loaded(&json!({ "User": "node" }));
    let volume = place.volume();
    let (process, _) = measured(&place, &["-v", &volume]);
    if place.whose() == Whose::Range {
        let (uid, uids) = (own().0, granted("/etc/subuid"));
        assert_eq!(process["uids"], four(uid));
        let map = [format!("0 {uids} 1000"), format!("1000 {uid} 1"), format!("1001 {} 64535", uids + 1001)];
        assert_eq!(process["uid_map"], json!(map));
    } else {
        assert_ne!(process["uids"], four(0));
    }
}

#[test]
fn without_a_right_to_map_ids_a_run_has_one_and_doctor_says_why() {
    let mut place = Place::loaded(&json!({}));
    place.without_range();
    let doctor: Value = serde_json::from_str(&place.bottle(&["doctor", "--json"]).out).unwrap();
    let several =
        doctor["checks"].as_array().unwrap().iter().find(|line| line["what"] == "several ids inside").unwrap();
    if place.whose() == Whose::Nobodys {
        assert_eq!(several["state"], "unknown", "{several}");
        return;
    }
    assert_eq!(several["state"], "no", "{several}");
    let detail = several["detail"].as_str().unwrap();
    assert!(detail.contains("one id inside") && several["mend"].is_string(), "{several}");
    let (process, _) = measured(&place, &[]);
    assert_eq!(process["uid_map"], json!([format!("0 {} 1", own().0)]));
}

#[test]
fn doctor_says_that_there_are_several_ids_only_where_it_had_them_mapped() {
    let place = Place::loaded(&json!({}));
    let doctor: Value = serde_json::from_str(&place.bottle(&["doctor", "--json"]).out).unwrap();
    let several =
        doctor["checks"].as_array().unwrap().iter().find(|line| line["what"] == "several ids inside").unwrap();
    let expected = match place.whose() {
        Whose::Range => "yes",
        Whose::Callers => "no",
        Whose::Nobodys => "unknown",
    };
    assert_eq!(several["state"], expected, "{several}");
}

#[test]
fn the_host_and_directories_have_one_id_as_before() {
    let place = Place::loaded(&json!({}));
    let map = |image: &str| {
        let mut command = place.command(&["run", image, "--", "/bin/cat", "/proc/self/uid_map"]);
        Said::from(command.current_dir(place.path("share")).output().unwrap())
    };
    std::fs::create_dir_all(place.path("root/bin")).unwrap();
    std::fs::copy("/bin/busybox", place.path("root/bin/cat")).unwrap();
    for image in ["host", &format!("dir:{}", text(&place.path("root")))] {
        let shown = map(image);
        if place.whose() != Whose::Nobodys {
            let uid = own().0.to_string();
            assert!(shown.ok().split_whitespace().eq([uid.as_str(), uid.as_str(), "1"]), "{image}: {shown:?}");
        }
    }
}

#[test]
fn a_bottle_whose_processes_have_several_ids_is_attested_again_as_it_was() {
    let place = Place::loaded(&json!({ "User": "node" }));
    let (first, again) = (place.path("first.json"), place.path("again.json"));
    place.bottle(&["run", "-d", "--name", "one", "--attestation", text(&first), "owners", "--", "sleep", "1000"]).ok();
    let mut other = place.command(&["exec", "-u", "www", "one", "--", "sleep", "1000"]).spawn().unwrap();
    let nonce = "c".repeat(64);
    place.bottle(&["attest", "renew", "one", "--nonce", &nonce, "--attestation", text(&again)]).ok();
    place.bottle(&["attest", "verify", text(&again), "--nonce", &nonce]).ok();
    let facts = |file| {
        let shown = place.bottle(&["attest", "show", "--json", text(file)]);
        let shown: Value = serde_json::from_str(shown.ok()).unwrap();
        find(&shown, "workload.process").unwrap()["value"].clone()
    };
    let (before, now) = (facts(&first), facts(&again));
    for what in ["uids", "gids", "groups", "capabilities", "seccomp_filters", "uid_map", "gid_map", "mounts"] {
        assert_eq!(before[what], now[what], "{what}");
    }
    place.bottle(&["rm", "-f", "one"]);
    other.wait().unwrap();
}
