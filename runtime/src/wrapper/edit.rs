//! What is changed in a container's configuration so that it becomes a bottle? Its network is one of its own, our hooks come last, raw
//! sockets go and those of AF_VSOCK are denied, a container without a seccomp filter gets the one of every bottle, and nothing else is touched.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::vsock;
use crate::confine::profile;
use crate::hook::seccomp::is_none;

/// How long an engine's runtime waits for a hook, in seconds.
const CREATING: u32 = 180;
const STOPPING: u32 = 60;

/// Our hooks, as the engine's runtime is to call them.
#[derive(Clone, Copy, Debug)]
pub struct Hooks<'a> {
    /// This program.
    pub program: &'a str,
    /// The settings that they read, where these are not the default.
    pub settings: Option<&'a str>,
    /// Their variables, as `NAME=value`.
    pub variables: &'a [String],
}

/// Which network the container has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// A new one, whatever path there was.
    New,
    /// The one that it joins.
    Joined,
}

/// Which sockets belong to no network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vsock {
    /// None may be opened.
    Denied,
    /// The engine's filter decides.
    LetPass,
}

/// A member that is none of its kind, so that nobody knows what it means.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} in the container's configuration is not what it has to be")]
pub struct EditError(pub(super) &'static str);

/// Raw sockets lead nowhere behind an airlock. Engines give this to every container, so that to take it is no refusal of a wish.
const CUT: &str = "NET_RAW";

/// Edits the document, which is an object. Done again, it changes nothing.
///
/// # Errors
/// [`EditError`]: then it is of no use any more.
pub fn edit(document: &mut Value, network: Network, vsock: Vsock, hooks: &Hooks<'_>) -> Result<(), EditError> {
    if network == Network::New {
        own_network(document)?;
    }
    capabilities(document)?;
    filter(document, vsock)?;
    put_last(document, "createRuntime", hooks.create(network))?;
    put_last(document, "poststop", hooks.stop())
}

impl Hooks<'_> {
    fn create(&self, network: Network) -> Value {
        let mut words = vec!["bottle", "hook", "create"];
        // What was judged as a part of a bottle must be one when it is there, and not be left alone.
        words.extend((network == Network::Joined).then_some("--joins"));
        words.extend(self.settings.iter().flat_map(|settings| ["--settings", settings]));
        self.hook(&words, CREATING)
    }

    fn stop(&self) -> Value {
        self.hook(&["bottle", "hook", "stop"], STOPPING)
    }

    fn hook(&self, words: &[&str], timeout: u32) -> Value {
        json!({"path": self.program, "args": words, "env": self.variables, "timeout": timeout})
    }
}

/// A namespace with a path is one that the engine has made, with a network in it. One that is not listed is the host's, which was
/// asked for by name: that is refused elsewhere.
fn own_network(document: &mut Value) -> Result<(), EditError> {
    let not = EditError("linux.namespaces");
    let Some(namespaces) = document.pointer_mut("/linux/namespaces").filter(|it| !it.is_null()) else { return Ok(()) };
    for namespace in namespaces.as_array_mut().ok_or(not)? {
        let namespace = namespace.as_object_mut().ok_or(EditError("linux.namespaces"))?;
        if namespace.get("type").is_some_and(|kind| kind == "network") {
            namespace.remove("path");
        }
    }
    Ok(())
}

fn capabilities(document: &mut Value) -> Result<(), EditError> {
    let not = || EditError("process.capabilities");
    let Some(sets) = document.pointer_mut("/process/capabilities").filter(|it| !it.is_null()) else { return Ok(()) };
    for set in sets.as_object_mut().ok_or_else(not)?.values_mut().filter(|it| !it.is_null()) {
        set.as_array_mut().ok_or_else(not)?.retain(|held| {
            let held = held.as_str().unwrap_or_default();
            !held.strip_prefix("CAP_").unwrap_or(held).eq_ignore_ascii_case(CUT)
        });
    }
    Ok(())
}

fn filter(document: &mut Value, vsock: Vsock) -> Result<(), EditError> {
    let not = || EditError("linux");
    let document = document.as_object_mut().ok_or(EditError("the whole"))?;
    let linux = document.entry("linux").or_insert_with(|| json!({})).as_object_mut().ok_or_else(not)?;
    closed(linux.entry("seccomp").or_insert(Value::Null), vsock)
}

/// What the engine has chosen stays, but for sockets of AF_VSOCK. Where it has chosen nothing, as Kubernetes does by default, or a filter that denies nothing,
/// nothing would be filtered.
///
/// # Errors
/// Where it is no filter.
pub fn closed(seccomp: &mut Value, vsock: Vsock) -> Result<(), EditError> {
    if is_none(seccomp) {
        *seccomp = profile();
    }
    if vsock == Vsock::Denied { vsock::close(seccomp) } else { Ok(()) }
}

/// One of ours in this stage, behind all others. Those of other stages are judged, and not moved.
fn put_last(document: &mut Value, stage: &'static str, hook: Value) -> Result<(), EditError> {
    let document = document.as_object_mut().ok_or(EditError("the whole"))?;
    let hooks = document.entry("hooks").or_insert(Value::Null);
    if hooks.is_null() {
        *hooks = Value::Object(Map::new());
    }
    let hooks = hooks.as_object_mut().ok_or(EditError("hooks"))?;
    let stage = hooks.entry(stage).or_insert(Value::Null);
    if stage.is_null() {
        *stage = Value::Array(Vec::new());
    }
    let stage = stage.as_array_mut().ok_or(EditError("hooks"))?;
    stage.retain(|other| !is_same(other, &hook));
    stage.push(hook);
    Ok(())
}

/// The same program, called for the same.
fn is_same(one: &Value, other: &Value) -> bool {
    let verb = |hook: &Value| [hook["args"][1].clone(), hook["args"][2].clone()];
    let path = |hook: &Value| {
        let path = Path::new(hook["path"].as_str().unwrap_or_default());
        path.canonicalize().unwrap_or_else(|_| path.to_owned())
    };
    verb(one) == verb(other) && path(one) == path(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOOKS: Hooks<'_> = Hooks { program: "/opt/bottle", settings: Some("/s.json"), variables: &[] };

    fn engines() -> Value {
        json!({
            "ociVersion": "1.0.2",
            "process": {"args": ["sh"], "capabilities": {"bounding": ["CAP_NET_RAW", "CAP_CHOWN"], "ambient": null}},
            "hooks": {"prestart": [{"path": "/bin/first"}], "createRuntime": [{"path": "/bin/other"}]},
            "linux": {"namespaces": [{"type": "pid"}, {"type": "network", "path": "/run/netns/cni"}], "resources": {"n": 1.5}},
            "unknown": {"kept": [1, -2, 18446744073709551615_u64]},
        })
    }

    #[test]
    fn what_joins_a_bottle_is_told_to_the_hook() {
        let mut document = engines();
        edit(&mut document, Network::Joined, Vsock::Denied, &HOOKS).unwrap();
        let last = &document["hooks"]["createRuntime"][1]["args"];
        assert_eq!(*last, json!(["bottle", "hook", "create", "--joins", "--settings", "/s.json"]));
    }

    #[test]
    fn the_network_is_new_our_hooks_come_last_raw_sockets_go_and_the_rest_stays() {
        let mut document = engines();
        edit(&mut document, Network::New, Vsock::Denied, &HOOKS).unwrap();
        assert_eq!(document["linux"]["namespaces"], json!([{"type": "pid"}, {"type": "network"}]));
        let created = document["hooks"]["createRuntime"].as_array().unwrap();
        assert_eq!(created[0]["path"], "/bin/other");
        assert_eq!(created[1]["args"], json!(["bottle", "hook", "create", "--settings", "/s.json"]));
        assert_eq!(document["hooks"]["poststop"][0]["args"], json!(["bottle", "hook", "stop"]));
        assert_eq!(document["process"]["capabilities"]["bounding"], json!(["CAP_CHOWN"]));
        let mut restored = document.clone();
        restored["hooks"] = engines()["hooks"].clone();
        restored["linux"]["namespaces"] = engines()["linux"]["namespaces"].clone();
        restored["process"]["capabilities"] = engines()["process"]["capabilities"].clone();
        assert_eq!(restored["linux"].as_object_mut().unwrap().remove("seccomp"), Some(profile()));
        assert_eq!(restored, engines());
    }

    #[test]
    fn to_edit_twice_is_to_edit_once() {
        let mut once = engines();
        edit(&mut once, Network::New, Vsock::Denied, &HOOKS).unwrap();
        let mut twice = once.clone();
        // Somebody has added a hook behind ours.
        twice["hooks"]["createRuntime"].as_array_mut().unwrap().insert(0, once["hooks"]["createRuntime"][1].clone());
        edit(&mut twice, Network::New, Vsock::Denied, &HOOKS).unwrap();
        assert_eq!(once, twice);
    }

    #[test]
    fn a_filter_that_the_engine_has_chosen_stays_and_one_that_denies_nothing_is_none() {
        let mut document = engines();
        // Who is asked by the last is refused elsewhere.
        for chosen in [json!({"defaultAction": "SCMP_ACT_ERRNO"}), json!({"defaultAction": "SCMP_ACT_NOTIFY"})] {
            document["linux"]["seccomp"] = chosen.clone();
            edit(&mut document, Network::New, Vsock::LetPass, &HOOKS).unwrap();
            assert_eq!(document["linux"]["seccomp"], chosen);
        }
        let open =
            json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["socket"], "action": "SCMP_ACT_ALLOW"}]});
        for (vsock, changes) in [(Vsock::Denied, true), (Vsock::LetPass, false)] {
            document["linux"]["seccomp"] = open.clone();
            edit(&mut document, Network::New, vsock, &HOOKS).unwrap();
            assert_eq!(document["linux"]["seccomp"] != open, changes);
        }
        document["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_NOTIFY", "syscalls": 7});
        assert!(edit(&mut document, Network::New, Vsock::Denied, &HOOKS).is_err());
        for none in [json!({}), json!({"defaultAction": "SCMP_ACT_ALLOW"})] {
            document["linux"]["seccomp"] = none;
            edit(&mut document, Network::New, Vsock::Denied, &HOOKS).unwrap();
            assert_eq!(document["linux"]["seccomp"], profile());
        }
    }

    #[test]
    fn a_network_that_is_joined_keeps_its_path() {
        let mut document = engines();
        edit(&mut document, Network::Joined, Vsock::Denied, &HOOKS).unwrap();
        assert_eq!(document["linux"]["namespaces"], engines()["linux"]["namespaces"]);
    }

    #[test]
    fn a_network_that_is_the_hosts_stays_so_and_is_refused_elsewhere() {
        for namespaces in [json!([{"type": "pid"}]), json!(null)] {
            let mut document = engines();
            document["linux"]["namespaces"] = namespaces.clone();
            edit(&mut document, Network::New, Vsock::Denied, &HOOKS).unwrap();
            assert_eq!(document["linux"]["namespaces"], namespaces);
        }
    }

    #[test]
    fn what_is_none_of_its_kind_is_an_error() {
        for (place, wrong) in [
            ("/hooks", json!([])),
            ("/hooks/createRuntime", json!({})),
            ("/linux/namespaces", json!({})),
            ("/linux/namespaces/0", json!("network")),
            ("/process/capabilities", json!([])),
            ("/process/capabilities/bounding", json!("all")),
        ] {
            let mut document = engines();
            *document.pointer_mut(place).unwrap() = wrong;
            assert!(edit(&mut document, Network::New, Vsock::Denied, &HOOKS).is_err(), "{place}");
        }
        assert!(edit(&mut json!([]), Network::Joined, Vsock::Denied, &HOOKS).is_err());
    }
}
