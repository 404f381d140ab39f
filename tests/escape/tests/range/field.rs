//! What are the attempts told of the world around them? And which of its names lead where no rule allows?

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use bottle_escape::field::{Evidence, Field, Host, Marks, Names, Neighbour};
use bottle_lab::Answer;
use bottle_lab::addresses::{ATTACKER, FOREIGN_DNS, HOST, HOST_V6};
use serde_json::Value;

use super::sandbox::Sandbox;

const BOTTLE_PROXY: &str = "28.0.0.1:3128";
/// On the lab's host; it denies nothing, and so is the control for attempts through bottle's.
pub const OPEN_PROXY: &str = "11.0.0.2:3128";
/// Where the neighbour would be: in another bottle; on the lab's host, or where the script `unshare-nat` puts it.
const BOTTLE_NEIGHBOUR: &str = "28.0.0.1:4445";
const OPEN_NEIGHBOUR: [&str; 2] = ["11.0.0.2:4445", "10.77.2.2:4445"];
/// Names below it are allowed.
pub const REBIND: &str = "rebind.example";

/// Names that a policy allows, and that lead where no rule allows.
pub fn rebinding() -> Vec<(&'static str, Answer)> {
    let to = |address: &str| vec![address.parse::<IpAddr>().unwrap()];
    let (public, private) = ([IpAddr::from(ATTACKER)].to_vec(), to("10.1.2.3"));
    vec![
        ("ttl.rebind.example", Answer::Sequence(vec![public.clone(), private.clone()])),
        ("private.rebind.example", Answer::Addresses(private.clone(), 0)),
        ("mixed.rebind.example", Answer::Addresses([private.clone(), public].concat(), 0)),
        ("alias.rebind.example", Answer::Alias("private.lab.example".into())),
        ("host.rebind.example", Answer::Alias("host.bottle.internal".into())),
        ("mapped.rebind.example", Answer::Addresses(to("::ffff:10.1.2.3"), 0)),
        ("nat64.rebind.example", Answer::Addresses(to("64:ff9b::a01:203"), 0)),
        ("sixtofour.rebind.example", Answer::Addresses(to("2002:a01:203::1"), 0)),
        ("unique.rebind.example", Answer::Addresses(to("fd12:3456::1"), 0)),
        ("metadata.rebind.example", Answer::Addresses(to("169.254.169.254"), 0)),
        ("linklocal.rebind.example", Answer::Addresses(to("169.254.7.7"), 0)),
        ("nat.rebind.example", Answer::Addresses(to("100.64.0.7"), 0)),
        ("azure.rebind.example", Answer::Addresses(to("168.63.129.16"), 0)),
        ("resolver.rebind.example", Answer::Addresses(to("8.8.8.8"), 0)),
        ("pool.rebind.example", Answer::Addresses(to("28.0.0.9"), 0)),
    ]
}

/// The sockets that the corpus speaks to, by step, and by what their names begin with.
fn daemons(step: &str, start: &str) -> impl Iterator<Item = PathBuf> {
    let text = include_str!("../../corpus/daemons.json");
    let section: Value = serde_json::from_str(text).unwrap();
    let steps = section["cases"].as_array().unwrap().iter().map(|case| &case["steps"][0][step]);
    let named = steps.filter_map(|named| named.as_str().or(named[0].as_str()));
    named.filter(|name| name.starts_with(start)).map(PathBuf::from).collect::<Vec<_>>().into_iter()
}

/// All that there is, with the listeners that the lab has opened.
pub fn field(
    sandbox: Sandbox<'_>,
    seed: &str,
    directory: &Path,
    loopback: SocketAddr,
    listeners: Vec<SocketAddr>,
) -> Field {
    let names = ["api.allowed.example", "plain.allowed.example", "web.lab.example", "attacker.example"];
    let [allowed, allowed_http, unlisted, zone] = names.map(str::to_owned);
    let key = u32::from_str_radix(&seed[..7], 16).unwrap();
    Field {
        seed: seed.to_owned(),
        marks: Some(Marks { v4: [11, 200, 0, 0].into(), v6: "2600:db:77::".parse().unwrap() }),
        ports: Default::default(),
        names: Some(Names { allowed, allowed_http, unlisted, zone, rebind: Some(REBIND.into()) }),
        foreign_resolver: Some(FOREIGN_DNS.into()),
        proxy: Some(if sandbox.is_bottle() { BOTTLE_PROXY } else { OPEN_PROXY }.parse().unwrap()),
        host: Host {
            addresses: vec![HOST.into(), HOST_V6.into()],
            loopback: Some(loopback),
            listeners,
            sockets: daemons("unix", "/run")
                .chain([directory.join(".X11-unix/X0")])
                // What an engine shares is in reach inside.
                .chain((!sandbox.is_engine()).then(|| directory.join("project/agents/agent.sock")))
                .collect(),
            datagram_sockets: daemons("unix-datagram", "/run").collect(),
            abstract_sockets: daemons("unix", "@")
                .map(|name| name.to_str().unwrap()[1..].to_owned())
                .chain([format!("escape-{seed}")])
                .collect(),
            fifos: vec![directory.join("project/fifo")],
            secret_files: vec![directory.join("home/.ssh/id_ed25519"), "/run/escape/token".into()],
            drop_files: vec![
                directory.join("home/.bashrc"),
                "/run/escape/drop".into(),
                format!("/dev/shm/escape-{seed}").into(),
            ],
            covered: Some("/run/escape/covered/token".into()),
            sealed: Some("/run/escape/sealed".into()),
            queue: Some(key as i32),
            posix_queue: Some(format!("escape-{seed}")),
            directory: Some(directory.join("project")),
            evidence: Some(Evidence {
                key: directory.join("state/data/keys/bottle.key"),
                log: directory.join("audit.jsonl"),
                state: directory.join("state"),
            }),
            neighbour: Some(Neighbour {
                addresses: if sandbox.is_bottle() { &[BOTTLE_NEIGHBOUR][..] } else { &OPEN_NEIGHBOUR }
                    .iter()
                    .map(|address| address.parse().unwrap())
                    .collect(),
                socket: format!("escape-neighbour-{seed}"),
            }),
            socket: Some(true),
            terminal: Some(true),
            victim: Some(true),
        },
    }
}
