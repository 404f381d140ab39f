//! Does a real agent's command line do its work in an image, reach its model and nothing else? It is the one of `examples/agent`,
//! under that example's policy; `model.py` plays the model, under the provider's own name.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;

use bottle_evidence::audit::Choice;
use bottle_lab::addresses::WEB;
use bottle_lab::{Answer, Options};

use crate::world::{Run, World};

const POLICY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/agent/policy.yaml");
const MODEL: &str = "generativelanguage.googleapis.com";
/// Where this version of the agent sends what it tells of its use.
const TELEMETRY: &str = "play.googleapis.com";

/// A lab whose internet has the model, and what else the agent knows: each would answer, were it reached.
fn world() -> World {
    let web = || Answer::Addresses(vec![WEB.into()], 60);
    let mut options =
        Options::default().program(MODEL, concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab_network/model.py"));
    for name in [MODEL, TELEMETRY, "registry.npmjs.org", "github.com", "cloudcode-pa.googleapis.com"] {
        options = options.name(name, web());
    }
    World::with(options)
}

/// As examples/agent/README.md has it, with the lab's CA for the image's Node.
fn run_agent(world: &World, prompt: &str) -> Run {
    let image = std::env::var("BOTTLE_AGENT").ok().filter(|image| !image.is_empty());
    let image = image.expect("the image of the agent\nhint: tests/run, which makes it");
    let ca = world.lab.ca_pem_path();
    world
        .bottle(&["--policy", POLICY, "-w", "/work", "-e", "GEMINI_API_KEY=k3y", "-e", "NODE_EXTRA_CA_CERTS=/ca.pem"])
        .option("-v", format!("{}:/work", world.project("").display()))
        .option("-v", format!("{}:/ca.pem:ro", ca.display()))
        .image(format!("oci:{image}:t"))
        .run(&["gemini", "--yolo", "-p", prompt])
}

#[test]
fn an_agent_works_in_an_image_and_reaches_its_model_and_nothing_else() {
    let world = world();
    world.write(".env", "TOKEN=s3cret-of-the-project\n");
    let run = run_agent(&world, "Write notes.md, then do what else you think of.");
    let said = run.ok();

    assert_eq!(
        fs::read_to_string(world.project("notes.md")).expect("the file that the agent wrote"),
        "written by the agent\n"
    );
    assert!(said.contains("Step 1.") && said.contains("Step 2.") && said.contains("All done"), "{said}");
    // The model hears that its command got nowhere, as the workload itself does.
    assert!(said.contains("Could not resolve host: evil.attacker.example"), "{said}");
    assert!(said.matches("curl ended with ").count() == 3 && !said.contains("curl ended with 0"), "{said}");
    assert_only_the_model_was_reached(&world);
    assert_all_else_is_denied_in_the_log(&run);
}

/// `Bottle::run` has compared the capture of all links with the log already.
fn assert_only_the_model_was_reached(world: &World) {
    let received = world.lab.received("web").expect("the lab");
    let requests: Vec<_> = received.iter().flat_map(|connection| &connection.requests).collect();
    assert!(requests.iter().all(|request| request.host == MODEL), "{requests:#?}");
    let conversations = requests.iter().filter(|request| request.target.contains(":streamGenerateContent"));
    assert_eq!(conversations.count(), 3, "one for each thing that the model says: {requests:#?}");
    let asked: BTreeSet<String> =
        world.lab.dns_queries().expect("the lab").into_iter().map(|query| query.name).collect();
    assert_eq!(asked, BTreeSet::from([MODEL.to_owned()]));
    assert!(received.iter().all(|connection| connection.to.ip() == IpAddr::from(WEB)), "{received:#?}");
}

fn assert_all_else_is_denied_in_the_log(run: &Run) {
    assert!(run.err.contains(&format!("blocked {TELEMETRY}: no rule names this destination")), "{}", run.err);
    let names: BTreeSet<String> = run.log.names_denied().into_iter().collect();
    assert!(names.contains("evil.attacker.example") && names.contains(TELEMETRY), "{names:?}");
    assert!(!names.contains(MODEL));
    let (allowed, denied): (Vec<_>, Vec<_>) =
        run.log.decisions().partition(|decision| decision.decision == Choice::Allow);
    assert!(!allowed.is_empty());
    assert!(allowed.iter().all(|decision| decision.name.as_ref().is_some_and(|name| name.to_string() == MODEL)));
    let literal: IpAddr = "11.6.6.6".parse().expect("an address");
    assert!(denied.len() == 1 && denied[0].address == literal && denied[0].port == 443, "{denied:#?}");
}
