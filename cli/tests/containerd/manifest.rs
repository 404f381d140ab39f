//! What does a kubelet make of a manifest? Of those in examples/kubernetes: a pod, with its volumes on the node, and its containers.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::node::Node;
use crate::world::{said, text};

/// Where the manifests are.
pub const MANIFESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/kubernetes");

/// A program beside the validator, or it.
pub fn validators(program: &str) -> Command {
    let validator = std::env::var("BOTTLE_VALIDATOR").expect("tests/run says where the validator is");
    Command::new(Path::new(&validator).with_file_name(program))
}

/// The documents of a manifest.
pub fn documents(name: &str) -> Vec<Value> {
    let script = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let read = said(validators("python").args(["-c", script]).arg(Path::new(MANIFESTS).join(name)));
    serde_json::from_str(read.ok()).unwrap()
}

/// The one of a kind.
pub fn document(name: &str, kind: &str) -> Value {
    documents(name).into_iter().find(|document| document["kind"] == kind).unwrap()
}

/// The words of a list.
pub fn words(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// Where on the node each volume of a pod's is. What a map of configuration has is laid out as kubelets do: links to links.
pub fn volumes(node: &Node, name: &str, pod: &Value) -> HashMap<String, String> {
    let maps: Vec<Value> = documents(name).into_iter().filter(|document| document["kind"] == "ConfigMap").collect();
    let place = |volume: &Value| match volume["hostPath"]["path"].as_str() {
        Some(path) => path.to_owned(),
        None => {
            let map = maps.iter().find(|map| map["metadata"]["name"] == volume["configMap"]["name"]).unwrap();
            let place = format!("/var/lib/kubelet/{}", volume["name"].as_str().unwrap());
            lay_out(&node.machine.path(&place), map);
            place
        }
    };
    let all = pod["volumes"].as_array().unwrap().iter();
    all.map(|volume| (volume["name"].as_str().unwrap().to_owned(), place(volume))).collect()
}

fn lay_out(place: &Path, map: &Value) {
    let _ = fs::remove_dir_all(place);
    fs::create_dir_all(place.join("..now")).unwrap();
    symlink("..now", place.join("..data")).unwrap();
    for (name, content) in map["data"].as_object().unwrap() {
        fs::write(place.join("..now").join(name), content.as_str().unwrap()).unwrap();
        symlink(text(&Path::new("..data").join(name)), place.join(name)).unwrap();
    }
}
