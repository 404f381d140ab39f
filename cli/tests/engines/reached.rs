//! What does a container reach? What its policy names, by name, and nothing else; and evidence says so.

use serde_json::json;

use crate::scene::Scene;

const WEB: &str = "domains:\n  - pattern: \"web.lab.example\"\n    ports: [443]\n";

/// Its CA is the lab's, and its resolver whichever.
pub fn dressed(scene: &Scene, script: &str, resolver: &str) -> crate::bundle::Bundle {
    scene.policy("web.yaml", WEB);
    let mut bundle = scene.bundle(script);
    bundle.annotate("bottle.policy", "web.yaml");
    bundle.file("etc/ca.pem", scene.world.lab.ca_pem());
    bundle.file("etc/nsswitch.conf", "hosts: files dns\n");
    bundle.file("etc/resolv.conf", resolver);
    bundle
}

pub const FETCH: &str = "curl -sS --cacert /etc/ca.pem -o /dev/null -w '%{http_code}\\n' https://web.lab.example/;
    curl -sS --cacert /etc/ca.pem https://evil.attacker.example/; echo $?;
    curl -sS -k --connect-to ::11.6.6.6:443 https://evil.attacker.example/; echo $?";

#[test]
fn an_allowed_name_is_reached_over_tls_and_what_is_not_listed_is_refused() {
    let scene = Scene::new();
    let said = scene.run(&dressed(&scene, FETCH, "nameserver 192.0.2.53\n"));
    // 6: the name does not resolve; 35: reset, and 7 where curl sees that while it still connects.
    assert!(["200\n6\n35\n", "200\n6\n7\n"].contains(&said.ok()), "{said:?}");
    assert_eq!(scene.world.lab.received("web").unwrap().len(), 1);
    assert!(scene.world.lab.received("collector").unwrap().is_empty());
    scene.assert_nothing_left();
    let log = scene.verified();
    let decisions: Vec<_> = log.iter().filter(|entry| entry["kind"] == "decision").collect();
    assert_eq!(decisions.iter().filter(|entry| entry["decision"] == "allow").count(), 1, "{decisions:?}");
    let end = log.iter().find(|entry| entry["kind"] == "run.end").unwrap();
    assert_eq!((&end["exit"], &end["reason"]), (&json!(0), &json!(null)));
}

#[test]
fn whatever_resolver_a_container_is_told_its_names_are_answered() {
    for resolver in
        ["", "nameserver 127.0.0.53\n", "nameserver 127.0.0.11\n", "nameserver ::1\n", "nameserver 2001:db8::53\n"]
    {
        let scene = Scene::new();
        let script = "curl -sS --cacert /etc/ca.pem -o /dev/null -w '%{http_code}\\n' https://web.lab.example/";
        let said = scene.run(&dressed(&scene, script, resolver));
        assert_eq!(said.ok(), "200\n", "{resolver:?}: {said:?}");
    }
}

#[test]
fn plain_tcp_to_a_server_that_a_policy_names_goes_through() {
    let scene = Scene::new();
    let script = "busybox nc ssh.lab.example 22 </dev/null | busybox head -c 15; echo; exec 3<>/dev/tcp/web.lab.example/7 || echo refused";
    let mut bundle = dressed(&scene, "", "");
    scene.policy("ssh.yaml", "domains:\n  - pattern: \"ssh.lab.example\"\n    ports: [22]\n    protocol: tcp\n");
    bundle.annotate("bottle.policy", "ssh.yaml");
    bundle.configuration["process"]["args"] = json!(["/usr/bin/bash", "-c", script]);
    let said = scene.run(&bundle);
    assert!(said.ok().starts_with("SSH-2.0-lab_1.0\n"), "{said:?}");
    assert_eq!(scene.world.lab.received("ssh").unwrap().len(), 1);
    assert!(scene.world.lab.received("echo").unwrap().is_empty());
}

#[test]
fn the_attestation_says_what_was_measured_and_what_is_the_engines_word() {
    let scene = Scene::new();
    let bundle = dressed(&scene, "busybox true", "");
    scene.run(&bundle).ok();
    scene.verified();
    let facts = scene.facts();
    assert_eq!(facts["workload.stage"]["value"], "created");
    for asserted in ["workload.stage", "workload.confinement", "workload.engine", "workload.seccomp-program"] {
        assert_eq!(facts[asserted]["basis"], "asserted", "{asserted}");
    }
    let links = facts["agent.links"]["value"].as_array().unwrap();
    let up: Vec<&str> = links
        .iter()
        .filter(|link| link["flags"].as_u64().unwrap() & 1 == 1)
        .map(|link| link["name"].as_str().unwrap())
        .collect();
    assert_eq!(up, ["eth0", "lo"]);
    assert_eq!(facts["agent.processes"]["value"]["count"], 2);
    assert_eq!(facts["workload.executable"]["value"]["path"], "/bin/sh");
    let confinement = &facts["workload.confinement"]["value"];
    assert!(confinement["capabilities"]["bounding"].as_array().unwrap().contains(&json!("CAP_NET_RAW")));
    assert_eq!(facts["workload.engine"]["value"]["let-pass"], json!([]));
    // Who ends it without its supervisor can do that alone.
    let keeper = &facts["keeper.process"]["value"];
    let kill = if crate::host::is_root() { "0000000000000020" } else { "0000000000000000" };
    assert_eq!((&keeper["capabilities"]["CapEff"], &keeper["capabilities"]["CapPrm"]), (&json!(kill), &json!(kill)));
    assert_eq!((&keeper["no_new_privs"], &keeper["seccomp"]), (&json!(true), &json!(2)));
}

#[test]
fn a_container_without_annotations_is_left_alone_unless_the_settings_say_otherwise() {
    let scene = Scene::new();
    scene.settings(&json!({"unannotated": "left-alone"}));
    let script = "busybox ls /sys/class/net | busybox tr '\\n' ' '";
    let said = scene.run(&scene.bundle(script));
    assert_eq!(said.ok().trim(), "lo");
    assert!(scene.evidence().is_empty());
    scene.settings(&json!({"unannotated": "bottled"}));
    let said = scene.run(&scene.bundle(script));
    assert_eq!(said.ok().trim(), "eth0 lo");
    assert_eq!(scene.evidence().len(), 1);
}

#[test]
fn a_label_that_an_engine_tells_its_runtime_counts_as_an_annotation_does() {
    let scene = Scene::new();
    scene.settings(&json!({"unannotated": "left-alone"}));
    scene.policy("web.yaml", WEB);
    let labelled = |labels: &str| {
        let mut bundle = scene.bundle("busybox ls /sys/class/net | busybox tr '\\n' ' '");
        bundle.annotate("io.kubernetes.cri-o.Labels", labels);
        scene.run(&bundle)
    };
    assert_eq!(labelled(r#"{"tier":"backend"}"#).ok().trim(), "lo");
    assert_eq!(labelled(r#"{"bottle.policy":"web.yaml"}"#).ok().trim(), "eth0 lo");
    for (spoilt, why) in [(r#"["bottle.policy"]"#, "has no labels"), (r#"{"bottle.polcy":"web.yaml"}"#, "bottle.polcy")]
    {
        let refused = labelled(spoilt);
        assert!(refused.code != 0 && refused.out.is_empty() && refused.err.contains(why), "{refused:?}");
    }
    scene.assert_nothing_left();
    assert_eq!(scene.evidence().len(), 1);
}
