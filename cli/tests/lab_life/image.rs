//! Does an image from the store run as its configuration says, whoever runs it?

use std::process::Command;

use serde_json::{Value, json};

use crate::world::{Said, World, said, text};

const IMAGE: &str = include_str!("image.py");

/// `docker-archive:FILE` of busybox in two layers, with this configuration.
pub fn image(world: &World, config: &Value) -> String {
    let file = world.path("image.tar");
    let made = Command::new("python3").args(["-c", IMAGE, text(&file), &config.to_string()]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    format!("docker-archive:{}", text(&file))
}

fn run(world: &World, words: &[&str]) -> Said {
    said(&mut world.run(words))
}

/// What most images say.
fn usual() -> Value {
    json!({ "Env": ["PATH=/bin", "GREETING=hi there"], "WorkingDir": "/work/deep", "Cmd": ["sh", "-c", "pwd; echo $GREETING $HOME"] })
}

#[test]
fn its_environment_directory_and_command_are_the_images() {
    let world = World::new();
    let image = image(&world, &usual());
    assert_eq!(run(&world, &[&image]).ok(), "/work/deep\nhi there /root\n");
    let given = run(&world, &["-e", "GREETING=bye", "-w", "/etc", &image, "--", "sh", "-c", "pwd; echo $GREETING"]);
    assert_eq!(given.ok(), "/etc\nbye\n");
}

#[test]
fn variables_of_a_file_are_set_after_the_images_and_before_those_of_the_command_line() {
    let world = World::new();
    let image = image(&world, &usual());
    std::fs::write(world.project("env"), "# a comment\nGREETING=from a file\nA=1\nB='quoted'\n").unwrap();
    let script = "echo $GREETING $A $B";
    let given = run(&world, &["--env-file", "env", "-e", "A=2", &image, "--", "sh", "-c", script]);
    assert_eq!(given.ok(), "from a file 2 'quoted'\n");
    std::fs::write(world.project("env"), "A=1\nHOME\n").unwrap();
    let refused = run(&world, &["--env-file", "env", &image]);
    assert!(refused.refused().contains("env:2: no variable with a value\nhint: write KEY=VALUE"), "{refused:?}");
}

#[test]
fn an_entrypoint_goes_before_what_is_given() {
    let world = World::new();
    let image = image(&world, &json!({ "Env": ["PATH=/bin"], "Entrypoint": ["echo", "entered"], "Cmd": ["with"] }));
    assert_eq!(run(&world, &[&image]).ok(), "entered with\n");
    assert_eq!(run(&world, &[&image, "--", "more", "words"]).ok(), "entered more words\n");
}

#[test]
fn an_entrypoint_that_is_given_takes_the_place_of_the_images_and_of_its_command() {
    let world = World::new();
    let image = image(&world, &json!({ "Env": ["PATH=/bin"], "Entrypoint": ["false"], "Cmd": ["with"] }));
    let with =
        |entrypoint: &str, words: &[&str]| run(&world, &[&["--entrypoint", entrypoint, &image, "--"], words].concat());
    assert_eq!(with("echo", &[]).ok(), "\n");
    assert_eq!(with("echo", &["more", "words"]).ok(), "more words\n");
    assert_eq!(with("", &["echo", "x"]).ok(), "x\n");
    assert!(with("", &[]).refused().contains("neither an entrypoint nor a command"));
    assert_eq!(run(&world, &["--entrypoint", "echo", "host", "--", "y"]).ok(), "y\n");
}

#[test]
fn hosts_host_name_and_resolver_are_the_bottles_and_agree() {
    let world = World::new();
    let image = image(&world, &usual());
    let script = "hostname; cat /etc/hostname; grep -c \"^127.0.0.1 localhost $(hostname)$\" /etc/hosts; grep -v ^nameserver /etc/resolv.conf | wc -l; \
                  grep -c ^nameserver /etc/resolv.conf";
    let shown = run(&world, &[&image, "--", "sh", "-c", script]);
    let lines: Vec<&str> = shown.ok().lines().collect();
    assert!(lines[0].len() == 12 && lines[0] == lines[1], "{lines:?}");
    assert_eq!(lines[2..], ["1", "0", "1"]);
}

#[test]
fn an_image_without_a_command_needs_one() {
    let world = World::new();
    let image = image(&world, &json!({ "Env": ["PATH=/bin"] }));
    let refused = run(&world, &[&image]);
    assert!(refused.refused().contains("neither an entrypoint nor a command"), "{refused:?}");
    assert!(refused.err.contains("hint: say what to run after the image's name"), "{refused:?}");
    assert_eq!(run(&world, &[&image, "--", "echo", "x"]).ok(), "x\n");
}

#[test]
fn a_command_that_an_image_lacks_is_127_and_nothing_is_said_of_the_hosts_programs() {
    let world = World::new();
    let image = image(&world, &usual());
    let missing = run(&world, &[&image, "--", "no-such-command"]);
    assert_eq!(missing.code, 127, "{missing:?}");
    assert!(missing.err.contains("looked for in /bin; the image does not have it"), "{missing:?}");
}

#[test]
fn upper_layers_hide_and_replace_what_lower_ones_have_and_a_run_changes_none() {
    let world = World::new();
    let image = image(&world, &usual());
    let script =
        "cat /etc/motd; ls /etc/gone 2>/dev/null; echo mine > /etc/motd; cat /etc/motd; rm /bin/ls; touch /made";
    for _ in 0..2 {
        assert_eq!(run(&world, &[&image, "--", "sh", "-c", script]).ok(), "upper\nmine\n");
    }
}

#[test]
fn the_root_directory_is_as_the_layer_says_that_mentions_it() {
    let world = World::new();
    let image = image(&world, &usual());
    assert_eq!(run(&world, &["-u", "0", &image, "--", "stat", "-c", "%a %u:%g", "/"]).ok(), "711 0:0\n");
}

#[test]
fn the_user_is_the_images_or_the_one_that_is_asked_for() {
    let world = World::new();
    let ids = "echo $(id -u):$(id -g) $HOME; touch ~/made && stat -c %u ~/made";
    let as_ann = image(&world, &json!({ "Env": ["PATH=/bin"], "User": "ann" }));
    assert_eq!(run(&world, &[&as_ann, "--", "sh", "-c", ids]).ok(), "1000:1001 /home/ann\n1000\n");
    for (user, expected) in [("0", "0:0 /root"), ("ann:staff", "1000:50 /home/ann"), ("7:8", "7:8 /")] {
        let said = run(&world, &["-u", user, &as_ann, "--", "sh", "-c", "echo $(id -u):$(id -g) $HOME"]);
        assert_eq!(said.ok().trim(), expected);
    }
    let refused = run(&world, &["-u", "bob", &as_ann, "--", "true"]);
    assert!(refused.refused().contains("the image has no user \"bob\"\nhint: `-u` names another"), "{refused:?}");
}

/// Whoever the workload is inside, on the host it is never root, and an ordinary user's is the caller.
#[test]
fn what_it_writes_into_a_shared_directory_is_the_owners() {
    use std::os::unix::fs::MetadataExt;
    let world = World::new();
    let image = image(&world, &usual());
    let volume = format!("{}:/shared", text(&world.path("project")));
    run(&world, &["-u", "5:6", "-v", &volume, &image, "--", "touch", "/shared/made"]).ok();
    let (owner, made) = (world.path("project").metadata().unwrap(), world.project("made").metadata().unwrap());
    assert_eq!((made.uid(), made.gid()), (owner.uid(), owner.gid()));
}

#[test]
fn the_attestation_names_the_images_manifest() {
    let world = World::new();
    let image = image(&world, &usual());
    run(&world, &[&image]).ok();
    let inspected = said(&mut world.bottle(&["image", "inspect", "docker.io/test/small:1"]));
    let inspected: Value = serde_json::from_str(inspected.ok()).unwrap();
    let digest = inspected["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
    let shown = said(&mut world.bottle(&["attest", "show", "--json", text(&world.attestation())]));
    assert!(shown.ok().contains(&digest), "{digest}: {shown:?}");
    let verify =
        |image: &str| said(&mut world.bottle(&["attest", "verify", "--image", image, text(&world.attestation())]));
    verify(&format!("sha256:{digest}")).ok();
    assert_eq!(verify(&"0".repeat(64)).code, 20);
}

#[test]
fn an_image_that_is_not_here_and_may_not_be_pulled_is_refused() {
    let world = World::new();
    let refused = run(&world, &["--pull", "never", "registry.invalid/none:1", "--", "true"]);
    assert!(refused.refused().contains("the image registry.invalid/none:1 is not here"), "{refused:?}");
    let missing = run(&world, &["docker-archive:/nonexistent.tar", "--", "true"]);
    assert!(missing.refused().contains("/nonexistent.tar"), "{missing:?}");
}
