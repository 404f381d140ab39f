//! Does `bottle hook install` write what engines read?

use serde_json::Value;

use crate::scene::Scene;
use crate::world::{BOTTLE, said, text};

#[test]
fn the_hooks_are_always_called_and_come_last() {
    let scene = Scene::new();
    let (directory, settings) = (scene.path("hooks.d"), scene.path("hooks.json"));
    let words = ["hook", "install", "--directory", text(&directory), "--settings", text(&settings)];
    for _ in 0..2 {
        said(&mut scene.world.bottle(&words)).ok();
    }
    let read = |name: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(directory.join(name)).unwrap()).unwrap()
    };
    let (create, stop) = (read("zz-bottle-create.json"), read("zz-bottle-stop.json"));
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 2);
    assert_eq!((&create["stages"][0], &stop["stages"][0]), (&"createRuntime".into(), &"poststop".into()));
    for hook in [&create, &stop] {
        assert_eq!(hook["when"], serde_json::json!({"always": true}));
        assert_eq!(hook["hook"]["path"], text(&std::fs::canonicalize(BOTTLE).unwrap()));
        assert!(hook["hook"]["timeout"].as_u64().unwrap() >= 60);
    }
    assert_eq!(create["hook"]["args"][4], text(&settings));
}
