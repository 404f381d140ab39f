//! What does a run leave to the next one of the same name?

use serde_json::json;

use crate::image::image;
use crate::world::{LIMIT, Said, World, said, text};

fn run(world: &World, name: &str, image: &str, script: &str) -> Said {
    said(&mut world.run(&["--keep", name, image, "--", "sh", "-c", script]))
}

fn keep(world: &World, arguments: &[&str]) -> Said {
    said(&mut world.bottle(&[&["keep"], arguments].concat()))
}

fn small(world: &World) -> String {
    image(world, &json!({ "Env": ["PATH=/bin"] }))
}

#[test]
fn what_is_changed_is_there_again_under_its_name_and_nowhere_else() {
    let world = World::new();
    let image = small(&world);
    let change =
        "echo mine > /etc/motd; rm /etc/passwd; mkdir -p /work && echo made > /work/made; mkdir -p ~ && touch ~/x";
    run(&world, "work", &image, change).ok();
    let look = "cat /etc/motd /work/made; ls /etc/passwd 2>/dev/null; ls ~; stat -c %a:%u / /work/made";
    assert_eq!(run(&world, "work", &image, look).ok(), "mine\nmade\nx\n711:0\n644:0\n");
    assert_eq!(run(&world, "other", &image, "cat /etc/motd; ls /").ok().lines().next(), Some("upper"));
    let plain = said(&mut world.run(&[&image, "--", "sh", "-c", "cat /etc/motd; ls /work 2>/dev/null; true"]));
    assert_eq!(plain.ok(), "upper\n");
}

#[test]
fn it_is_shown_and_not_changed_where_the_root_is_read_only() {
    let world = World::new();
    let image = small(&world);
    run(&world, "work", &image, "echo mine > /etc/motd").ok();
    let script = "cat /etc/motd; echo other > /etc/motd";
    let said = said(&mut world.run(&["--read-only", "--keep", "work", &image, "--", "sh", "-c", script]));
    assert_eq!((said.code, said.out.as_str()), (1, "mine\n"), "{said:?}");
    assert_eq!(run(&world, "work", &image, "cat /etc/motd").ok(), "mine\n");
}

#[test]
fn it_is_listed_kept_from_pruning_and_removed() {
    let world = World::new();
    let image = small(&world);
    run(&world, "work", &image, "mkdir -m 0 /closed; mkdir /closed/x 2>/dev/null; true").ok();
    let listed = keep(&world, &["ls", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(listed.ok()).unwrap();
    assert_eq!((&listed[0]["name"], listed.as_array().map(Vec::len)), (&json!("work"), Some(1)));
    let names = said(&mut world.bottle(&["image", "ls", "--json"]));
    let names: serde_json::Value = serde_json::from_str(names.ok()).unwrap();
    let names = names.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned());
    for name in names.filter(|name| !name.starts_with("kept:")) {
        said(&mut world.bottle(&["image", "rm", &name])).ok();
    }
    assert_eq!(said(&mut world.bottle(&["image", "prune"])).ok(), "");
    assert_eq!(keep(&world, &["rm", "work"]).ok(), "work\n");
    assert_eq!(keep(&world, &["rm", "work"]).code, 1);
    assert_eq!(keep(&world, &["ls"]).ok(), "NAME  IMAGE\n");
    assert!(said(&mut world.bottle(&["image", "prune"])).ok().contains("sha256:"));
}

#[test]
fn another_image_another_run_and_the_host_are_refused_with_a_hint() {
    let world = World::new();
    let image = small(&world);
    let mut running = world.start(&["-i", "--keep", "work", &image, "--", "sh", "-c", "echo up; cat"]);
    assert_eq!(running.line(), "up");
    assert!(run(&world, "work", &image, "true").refused().contains("another run goes on with what is kept as work"));
    assert!(keep(&world, &["rm", "work"]).err.contains("hint: wait for it to end"));
    running.finish().ok();
    let other = format!("dir:{}", text(&world.path("home")));
    let refused = run(&world, "work", &other, "true");
    assert!(refused.refused().contains("lies upon another image: sha256:"), "{refused:?}");
    assert!(refused.err.contains("hint: give the image by its digest (NAME@sha256:"), "{refused:?}");
    let host = said(&mut world.run(&["--keep", "x", "host", "--", "true"]));
    assert!(host.refused().contains("no layer that could be kept"), "{host:?}");
    assert!(!world.path("state/data/kept/x").exists());
    assert_eq!(said(&mut world.run(&["--keep", "../x", &image])).code, 125);
}

#[test]
fn the_attestation_says_that_the_root_is_more_than_the_image() {
    let world = World::new();
    let image = small(&world);
    run(&world, "work", &image, "true").ok();
    let shown = said(&mut world.bottle(&["attest", "show", "--json", text(&world.attestation())]));
    assert!(shown.ok().contains("workload.kept-layer"), "{shown:?}");
}

#[test]
fn a_run_that_is_killed_leaves_what_it_changed_to_the_next() {
    let world = World::new();
    let image = small(&world);
    let mut running = world.start(&["-i", "--keep", "work", &image, "--", "sh", "-c", "echo x > /made; echo up; cat"]);
    assert_eq!(running.line(), "up");
    let processes = running.processes();
    processes.supervisor.signal(rustix::process::Signal::KILL);
    for process in processes.all() {
        assert!(process.ends_within(LIMIT), "{process:?}");
    }
    running.bury();
    assert_eq!(run(&world, "work", &image, "cat /made").ok(), "x\n");
}

#[test]
fn the_log_can_not_lie_in_what_is_kept() {
    let world = World::new();
    let image = small(&world);
    run(&world, "work", &image, "true").ok();
    let log = world.path("state/data/kept/work/upper/audit.jsonl");
    let words = ["run", "--audit", text(&log), "--keep", "work", &image, "--", "true"];
    let refused = said(&mut world.bottle(&words));
    assert!(refused.refused().contains("which the workload can write"), "{refused:?}");
}
