//! What do `bottle image` and its verbs do? The built command with a real registry on loopback; see `tests/run`.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::place::{Place, Said};
use crate::registry::{Proxy, Server, layout, noise};

/// Runs a verb of images, with the containers configuration of the place.
fn image(place: &Place, arguments: &[&str]) -> Said {
    let mut command = place.command(&[&["image"], arguments].concat());
    command.env("HOME", place.path("home"));
    Said::from(command.output().expect("the built command"))
}

fn partial_bytes(place: &Place) -> u64 {
    let listed = std::fs::read_dir(place.path("state/data/images/partial")).into_iter().flatten().flatten();
    listed.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

#[test]
fn an_image_is_pulled_listed_inspected_removed_and_pruned() {
    bottle_lab::require();
    let place = Place::new();
    let server = Server::start(&place);
    let digest = layout(&place, "layout", b"hello");
    server.push(&place, "layout", "team/tool:1");
    let name = format!("127.0.0.1:{}/team/tool:1", server.port);
    server.configure(&place, server.port);
    let pulled = image(&place, &["pull", &name]);
    assert_eq!((pulled.code, pulled.out.trim()), (0, digest.as_str()), "{}", pulled.err);
    assert!(pulled.err.contains(&format!("{name} is here")), "{}", pulled.err);
    let listed = image(&place, &["ls", "--json"]).json();
    assert_eq!((&listed[0]["name"], &listed[0]["digest"]), (&name.clone().into(), &digest.clone().into()));
    let table = image(&place, &["ls"]).out;
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("NAME ") && lines[1].starts_with(&name), "{table}");
    let inspected = image(&place, &["inspect", &format!("docker://{name}")]).json();
    assert_eq!(inspected["config"]["cmd"], serde_json::json!(["/bin/sh"]));
    assert_eq!(image(&place, &["prune"]).out, "");
    assert_eq!(image(&place, &["rm", &name]).out.trim(), name);
    let again = image(&place, &["rm", &name]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("hint: bottle image ls"), "{}", again.err);
    let pruned = image(&place, &["prune", "--json"]).json();
    assert_eq!(pruned["blobs"].as_array().map(Vec::len), Some(3));
    assert_eq!(pruned["layers"].as_array().map(Vec::len), Some(1));
    assert_eq!(image(&place, &["inspect", &name]).code, 1);
}

/// A static program that asked the C library for a name would crash, or load what the configuration names.
#[test]
fn a_registry_is_found_by_a_name_that_only_the_hosts_file_has() {
    bottle_lab::require();
    let place = Place::new();
    let server = Server::start(&place);
    let digest = layout(&place, "layout", b"hello");
    server.push(&place, "layout", "team/tool:1");
    server.configure_as(&place, "registry.lab.example", server.port);
    place.write("hosts", "127.0.0.1 localhost\n127.0.0.1 registry.lab.example\n");
    place.write("nsswitch.conf", "passwd: sss\nhosts: mymachines resolve nis dns\n");
    let script = "mount --bind hosts /etc/hosts && mount --bind nsswitch.conf /etc/nsswitch.conf && exec \"$@\"";
    let name = format!("registry.lab.example:{}/team/tool:1", server.port);
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    command.arg(assert_cmd::cargo::cargo_bin!("bottle")).args(["image", "pull", "--packed", &name]);
    command.current_dir(place.path("")).env("BOTTLE_ROOT", place.path("state")).env("HOME", place.path("home"));
    // Being root there, it would look for root's own files.
    command.env("CONTAINERS_REGISTRIES_CONF", place.path("home/.config/containers/registries.conf"));
    let pulled = Said::from(command.output().expect("unshare"));
    assert_eq!((pulled.code, pulled.out.trim()), (0, digest.as_str()), "{}", pulled.err);
}

/// Nobody is asked: the name is one that has no address anywhere, and there is no network.
#[test]
fn a_registry_without_an_address_is_told_in_one_line() {
    bottle_lab::require();
    let place = Place::new();
    place.write("resolv.conf", "nameserver 127.0.0.1\n");
    place.write("registries.conf", "");
    let script = "mount --bind resolv.conf /etc/resolv.conf && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "--net", "sh", "-c", script, "sh"]);
    command.arg(assert_cmd::cargo::cargo_bin!("bottle")).args(["image", "pull", "registry.invalid/x"]);
    command.current_dir(place.path("")).env("BOTTLE_ROOT", place.path("state")).env("HOME", place.path("home"));
    // Being root there, it would look for root's own files.
    command.env("CONTAINERS_REGISTRIES_CONF", place.path("registries.conf"));
    let said = Said::from(command.output().expect("unshare"));
    assert_eq!(said.code, 2, "{}", said.err);
    let lines: Vec<&str> = said.err.lines().collect();
    assert_eq!(lines.len(), 2, "{}", said.err);
    assert!(lines[0].contains("cannot find the address of the registry registry.invalid: "), "{}", said.err);
    assert!(lines[1].starts_with("hint: is the registry's name spelled right?"), "{}", said.err);
}

/// By a name nothing would be asked either; by a digest there is not even a name to add.
#[test]
fn an_image_that_is_here_is_run_by_its_digest_without_a_word_and_keeps_its_names() {
    bottle_lab::require();
    let place = Place::new();
    let digest = layout(&place, "layout", b"hello");
    assert_eq!(image(&place, &["load", "oci:layout"]).code, 0);
    let names = image(&place, &["ls"]).out;
    let refused = place.bottle(&["run", "--pull", "never", &format!("registry.invalid/x@{digest}"), "--", "true"]);
    assert!(!refused.err.contains("is not here") && !refused.err.contains("registry.invalid/x"), "{}", refused.err);
    // It gets as far as its command, which the image has not.
    assert!(refused.code == 127 && refused.err.contains("true"), "{}", refused.err);
    let refused = place.bottle(&["run", &format!("registry.invalid/x@{digest}"), "--", "true"]);
    assert!(refused.code == 127 && !refused.err.contains("registry.invalid"), "{}", refused.err);
    let again = place.bottle(&["run", "oci:layout", "--", "true"]);
    assert!(again.code == 127 && !again.err.contains("oci:"), "{}", again.err);
    assert_eq!(image(&place, &["ls"]).out, names);
}

#[test]
fn an_image_is_meant_by_the_id_that_is_listed() {
    bottle_lab::require();
    let place = Place::new();
    let digest = layout(&place, "layout", b"hello");
    assert_eq!(image(&place, &["load", "oci:layout", "--tag", "one"]).code, 0);
    let listed = image(&place, &["ls"]).out;
    let id = listed.lines().nth(1).and_then(|line| line.split_whitespace().nth(1)).expect("an id");
    let whole = image(&place, &["ls", "--json"]).json()[0]["id"].as_str().expect("an id").to_owned();
    for written in [id, whole.as_str(), whole.trim_start_matches("sha256:"), digest.as_str()] {
        assert_eq!(image(&place, &["inspect", written]).json()["digest"], digest.as_str(), "{written}");
        let ran = place.bottle(&["run", written, "--", "true"]);
        // It gets as far as its command, which the image has not.
        assert!(ran.code == 127 && !ran.err.contains("registr"), "{written}: {}", ran.err);
    }
    for written in [&id[..11], "000000000000", &id.to_uppercase(), &format!("{id}:latest")] {
        let said = image(&place, &["inspect", written]);
        assert!(said.code == 1 && said.err.contains("there is no image"), "{written}: {said:?}");
    }
    // A name that looks like an id is the name.
    std::fs::remove_dir_all(place.path("layout")).expect("it is there");
    let other = layout(&place, "layout", b"other");
    assert_eq!(image(&place, &["load", "oci:layout", "--tag", id]).code, 0);
    assert_eq!(image(&place, &["inspect", id]).json()["digest"], other.as_str());
    assert_eq!(image(&place, &["rm", id]).out, format!("localhost/{id}:latest\n"));
    assert_eq!(image(&place, &["rm", id]).out, "localhost/one:latest\n");
    assert_eq!(image(&place, &["rm", id]).code, 1);
}

#[test]
fn the_help_states_how_large_an_image_may_be() {
    use bottle_images::limits;
    let help = Place::new().bottle(&["image", "pull", "--help"]).out;
    let gib = |bytes: u64| bytes >> 30;
    for stated in [
        format!("more than {} layers", limits::LAYERS),
        format!("{} GiB a blob", gib(limits::BLOB)),
        format!("{} GiB and {},000,000 files unpacked", gib(limits::UNPACKED), limits::FILES / 1_000_000),
        format!("more than {} GiB and {} times their size", gib(limits::RATIO_FREE), limits::RATIO),
    ] {
        assert!(help.contains(&stated), "no {stated:?} in {help}");
    }
    assert_eq!(limits::FILES % 1_000_000, 0);
}

#[test]
fn an_image_is_loaded_from_a_layout_and_named() {
    bottle_lab::require();
    let place = Place::new();
    let digest = layout(&place, "layout", b"hello");
    let loaded = image(&place, &["load", "oci:layout", "--tag", "mine"]);
    assert_eq!((loaded.code, loaded.out.trim()), (0, digest.as_str()), "{}", loaded.err);
    for name in ["mine", "localhost/mine:latest", "oci:layout"] {
        assert_eq!(image(&place, &["inspect", name]).json()["digest"], digest.as_str(), "{name}");
    }
}

#[test]
fn what_goes_wrong_says_what_why_and_what_to_do() {
    bottle_lab::require();
    let place = Place::new();
    for (arguments, hint) in [
        (&["pull", "oci:x"][..], "bottle image load oci:x"),
        (&["pull", "Not a name"], "REPOSITORY"),
        (&["pull", "127.0.0.1:1/x"], "is 127.0.0.1:1 reachable from here"),
        (&["load", "x:1"], "bottle image pull x:1"),
    ] {
        let said = image(&place, arguments);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{arguments:?}: {}", said.err);
        let hinted = said.err.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap_or_default();
        assert!(hinted.contains(hint), "{arguments:?}: {}", said.err);
    }
    let server = Server::start(&place);
    let said = image(&place, &["pull", &format!("127.0.0.1:{}/x", server.port)]);
    assert!(said.code == 2 && said.err.contains("has no TLS, or a certificate"), "{}", said.err);
    assert_eq!(image(&place, &["load", "oci:nowhere"]).code, 2);
    assert_eq!(image(&place, &["pull"]).code, 2);
}

/// Loads the layout upon a disk of this size, which nobody else sees; then what there is half-made or unpacked.
fn load_on_a_disk_of(place: &Place, size: &str) -> Said {
    let script = r#"mount -t tmpfs -o "size=$1" none state || exit 99
        shift; "$@"; echo "code $?"; cd state/data/images; find partial tmp layers -type f"#;
    let bottle = place.command(&["image", "load", "oci:layout", "--tag", "full"]);
    let mut command = Command::new("unshare");
    command
        .arg("-m")
        .args(["--map-current-user", "--keep-caps"].iter().filter(|_| !rustix::process::geteuid().is_root()));
    command.args(["sh", "-c", script, "sh", size]).arg(bottle.get_program()).args(bottle.get_args());
    command.env("BOTTLE_ROOT", place.path("state")).env("HOME", place.path("home")).current_dir(place.path(""));
    Said::from(command.output().expect("unshare"))
}

#[test]
fn a_disk_that_is_full_midway_is_told_and_leaves_nothing_half_made() {
    bottle_lab::require();
    let place = Place::new();
    let digest = layout(&place, "layout", &noise(1 << 20));
    std::fs::create_dir(place.path("state")).expect("a directory");
    // Full while the layer is stored, and while it is unpacked.
    for (size, what) in [("512k", "/partial/"), ("1700k", "cannot unpack the layer")] {
        let said = load_on_a_disk_of(&place, size);
        assert_eq!(said.out, "code 2\n", "{size}: {}", said.err);
        for part in [what, "No space left on device", "hint: make room on that file system"] {
            assert!(said.err.contains(part), "{size}: no {part:?} in {}", said.err);
        }
    }
    let said = load_on_a_disk_of(&place, "8m");
    assert!(said.out.starts_with(&format!("{digest}\ncode 0\n")), "{said:?}");
    assert!(said.out.contains("/fs/content"), "{said:?}");
}

#[test]
fn a_pull_that_is_killed_goes_on_where_it_ended() {
    bottle_lab::require();
    let place = Place::new();
    let server = Server::start(&place);
    let digest = layout(&place, "layout", &noise(8 << 20));
    server.push(&place, "layout", "big:1");
    let proxy = Proxy::start(server.port);
    server.configure(&place, proxy.port);
    let name = format!("127.0.0.1:{}/big:1", proxy.port);
    let mut command = place.command(&["image", "pull", &name]);
    command.env("HOME", place.path("home")).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the built command");
    let begun = Instant::now();
    while partial_bytes(&place) < 2 << 20 {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing arrives");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("it runs");
    child.wait().expect("it ended");
    let there = partial_bytes(&place);
    assert!(there < 8 << 20, "it was too quick to be killed in the middle");
    let listed = image(&place, &["ls", "--json"]);
    assert_eq!(listed.json(), serde_json::json!([]));
    let passed = proxy.hurry();
    let pulled = image(&place, &["pull", &name]);
    assert_eq!((pulled.code, pulled.out.trim()), (0, digest.as_str()), "{}", pulled.err);
    assert!(proxy.passed() - passed < (8 << 20) - there + (1 << 20), "what was there came once more");
    assert_eq!(partial_bytes(&place), 0);
}
