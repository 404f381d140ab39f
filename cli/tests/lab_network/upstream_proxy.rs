//! Is everything dialled through the proxy that was named, by name, and is the proxy itself out of reach?

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use bottle_evidence::audit::Ended;
use bottle_lab::addresses::HOST;
use bottle_lab::{Answer, Options};

use crate::world::{Bottle, World, path};

const SCRIPT: &str = include_str!("proxy_of_the_hosts.py");
const NAMES: &str =
    r#"{"api.allowed.example": "11.1.0.1", "web.lab.example": "11.1.0.1", "ssh.lab.example": "11.1.0.22"}"#;

/// A proxy on the lab's host, which ends with the test.
struct Proxy<'a> {
    world: &'a World,
    process: Child,
    address: String,
    port: u16,
}

impl<'a> Proxy<'a> {
    /// One that opens every tunnel.
    fn open(world: &'a World) -> Proxy<'a> {
        Proxy::of(world, "127.0.0.1", "open")
    }

    /// One that answers this to everything.
    fn answering(world: &'a World, answer: &str) -> Proxy<'a> {
        Proxy::of(world, "127.0.0.1", answer)
    }

    fn of(world: &'a World, address: &str, manner: &str) -> Proxy<'a> {
        let heads = world.path("heads");
        fs::write(&heads, "").unwrap();
        let mut python = world.lab.command("python3");
        python.args(["-c", SCRIPT, address, path(&heads), manner, NAMES]).stdout(Stdio::piped());
        let mut process = python.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Proxy { world, process, address: address.to_owned(), port: line.trim().parse().unwrap() }
    }

    fn url(&self) -> String {
        format!("http://{}:{}", self.address, self.port)
    }

    /// A run through it.
    fn before(&self, bottle: Bottle<'a>) -> Bottle<'a> {
        bottle.option("--upstream-proxy", self.url()).also(&format!("{}:{}", self.address, self.port))
    }

    /// The request heads that it got.
    fn heads(&self) -> Vec<String> {
        let text = fs::read_to_string(self.world.path("heads")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What it was asked to connect to.
    fn asked(&self) -> Vec<String> {
        self.heads().iter().map(|head| head.split(' ').nth(1).unwrap().to_owned()).collect()
    }
}

impl Drop for Proxy<'_> {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn tls_http_and_a_server_that_speaks_first_go_through_it_by_name() {
    let world = World::new();
    let proxy = Proxy::open(&world);
    let allowed = world.allow(&["api.allowed.example", "http://web.lab.example", "tcp://ssh.lab.example:22"]);
    let script = "print(https('api.allowed.example'), http('web.lab.example'))
print(tcp('ssh.lab.example', 22).recv(64).decode().strip())";
    let (said, run) = proxy.before(allowed).python(script);
    assert_eq!(said, ["200 200", "SSH-2.0-lab_1.0"], "{}", run.err);
    assert_eq!(proxy.asked(), ["api.allowed.example:443", "web.lab.example:80", "ssh.lab.example:22"]);
    assert!(world.lab.dns_queries().unwrap().is_empty(), "nothing but the proxy's own name is looked up");
    assert!(run.log.outcomes().all(|outcome| outcome.upstream == Some("127.0.0.1".parse().unwrap())));
    assert!(run.err.contains(&format!("through {}", proxy.url())), "{}", run.err);
}

#[test]
fn what_the_rules_deny_is_never_asked_of_it_and_literals_are_checked_here() {
    let world = World::new();
    let proxy = Proxy::open(&world);
    let policy = "domains:\n  - pattern: api.allowed.example\nip_ranges:\n  - cidr: 11.1.0.0/16\n  - cidr: 8.0.0.0/6\n  - cidr: 127.0.0.0/8\n";
    let script = format!(
        "for host in 'evil.attacker.example', '10.1.2.3', '169.254.169.254', '127.0.0.1', '{HOST}', '[::ffff:10.1.2.3]':
    print(status(say(tcp('28.0.0.1', 3128), f'CONNECT {{host}}:443 HTTP/1.1\\r\\nHost: {{host}}:443\\r\\n\\r\\n')))
print(http('11.1.0.1', name='web.lab.example'))"
    );
    let (said, run) = proxy.before(world.policy(policy)).python(&script);
    assert_eq!(said, ["403", "403", "403", "403", "403", "403", "200"], "{:?}", run.log.reasons());
    assert_eq!(proxy.asked(), ["11.1.0.1:80"]);
}

#[test]
fn the_proxy_itself_is_out_of_reach_unless_a_rule_names_it_exactly() {
    let world = World::with(Options::default().name("proxy.lab.example", Answer::Addresses(vec![HOST.into()], 60)));
    let proxy = Proxy::of(&world, &HOST.to_string(), "open");
    let url = format!("http://proxy.lab.example:{}", proxy.port);
    let place = format!("{HOST}:{}", proxy.port);
    let script = format!(
        "print(end(lambda: say(tcp('proxy.lab.example', {0}), 'CONNECT evil.attacker.example:443 HTTP/1.1\\r\\n\\r\\n')))
print(status(say(tcp('28.0.0.1', 3128), 'CONNECT {HOST}:{0} HTTP/1.1\\r\\nHost: {HOST}:{0}\\r\\n\\r\\n')))",
        proxy.port
    );
    let wildcard = format!("tcp://*.lab.example:{}", proxy.port);
    for options in [["--mode", "observe"], ["--allow", &wildcard]] {
        let bottle =
            world.bottle(&options).option("--upstream-proxy", &url).also(&place).also_name("proxy.lab.example");
        let (said, run) = bottle.python(&script);
        assert_eq!(said, ["ECONNRESET", "403"], "{:?}", run.log.reasons());
        assert_eq!(run.log.reasons()[0], "upstream-proxy", "{options:?}");
    }
    assert!(proxy.asked().is_empty());
    let exact = format!("tcp://proxy.lab.example:{}", proxy.port);
    let bottle = world.bottle(&["--allow", &exact]).option("--upstream-proxy", &url).also(&place);
    bottle.also_name("proxy.lab.example").python(&script);
    assert_eq!(proxy.asked()[0], format!("proxy.lab.example:{}", proxy.port));
}

#[test]
fn what_it_refuses_is_told_in_words() {
    let world = World::new();
    for (answer, words) in [
        (r"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n", "wants credentials (407)"),
        (r"HTTP/1.1 502 Bad Gateway\r\n\r\n", "cannot reach it (502)"),
        (r"HTTP/1.1 403 Forbidden\r\n\r\nblocked by policy", "forbids it (403)"),
        (r"SSH-2.0-x\r\n\r\n", "is not the answer of an HTTP proxy"),
        ("", "closed the connection without an answer"),
    ] {
        let proxy = Proxy::answering(&world, answer);
        let (said, run) =
            proxy.before(world.allow(&["api.allowed.example"])).python("print(https('api.allowed.example'))");
        assert_eq!(said, ["ECONNRESET"], "{answer}");
        let (_, outcome) = run.log.attempt();
        assert_eq!(outcome.result, Ended::Unreachable, "{answer}");
        assert!(outcome.reason.as_ref().unwrap().to_string().contains(words), "{outcome:?}");
        assert!(run.err.contains(words), "{}", run.err);
    }
    let gone = Proxy::open(&world).url();
    let bottle = world.allow(&["api.allowed.example"]).option("--upstream-proxy", &gone);
    let (said, run) = bottle.also(gone.strip_prefix("http://").unwrap()).python("print(https('api.allowed.example'))");
    assert_eq!(said, ["ECONNRESET"]);
    assert!(run.err.contains(&format!("the upstream proxy {gone}: Connection refused")), "{}", run.err);
}

#[test]
fn credentials_go_to_the_proxy_and_nowhere_else_and_the_attestation_says_that_there_are_some() {
    let world = World::new();
    let proxy = Proxy::open(&world);
    let at = world.path("att.json");
    let url = format!("http://user:s3cretw0rd@127.0.0.1:{}", proxy.port);
    let bottle = world.allow(&["api.allowed.example"]).variable("BOTTLE_UPSTREAM_PROXY", &url);
    let bottle = bottle.option("--attestation", &at).also(&format!("127.0.0.1:{}", proxy.port));
    let audit = bottle.audit().to_owned();
    let script = "print(https('api.allowed.example'), 'BOTTLE_UPSTREAM_PROXY' in os.environ)";
    let (said, run) = bottle.python(script);
    assert_eq!(said, ["200 False"]);
    // user:s3cretw0rd
    let sent = "dXNlcjpzM2NyZXR3MHJk";
    assert!(proxy.heads()[0].contains(&format!("\r\nProxy-Authorization: Basic {sent}\r\n")), "{:?}", proxy.heads());
    for kept in [fs::read_to_string(&audit).unwrap(), fs::read_to_string(&at).unwrap(), run.err] {
        assert!(!kept.contains("s3cretw0rd") && !kept.contains(sent), "{kept}");
    }
    let (code, shown) = world.verb(&["attest", "show", path(&at)]);
    let payload = format!(r#"{{"credentials":true,"host":"127.0.0.1","port":{},"scheme":"http"}}"#, proxy.port);
    assert!(code == 0 && shown.contains("dialler.upstream-proxy") && shown.contains(&payload), "{shown}");
    assert!(!shown.contains("s3cretw0rd") && !shown.contains(sent));
    let (code, shown) = world.verb(&["attest", "verify", path(&at)]);
    assert!(
        code == 0 && shown.contains(&format!("through http://127.0.0.1:{} with credentials", proxy.port)),
        "{shown}"
    );
    let straight = world.path("straight.json");
    world.bottle(&[]).option("--attestation", &straight).run(&["true"]).ok();
    assert!(!world.verb(&["attest", "show", path(&straight)]).1.contains("upstream-proxy"));
}

#[test]
fn credentials_that_it_does_not_accept_are_told_so() {
    let world = World::new();
    let proxy = Proxy::answering(&world, r"HTTP/1.1 407 No\r\n\r\n");
    let url = format!("http://user:s3cretw0rd@127.0.0.1:{}", proxy.port);
    let bottle = world.allow(&["api.allowed.example"]).option("--upstream-proxy", &url);
    let (_, run) = bottle.also(&format!("127.0.0.1:{}", proxy.port)).python("print(https('api.allowed.example'))");
    assert!(
        run.err.contains("does not accept the credentials (407)") && !run.err.contains("s3cretw0rd"),
        "{}",
        run.err
    );
    assert!(run.err.contains("others can see the credentials on the command line"), "{}", run.err);
}

#[test]
fn the_hosts_loopback_is_dialled_straight() {
    let world = World::new();
    let proxy = Proxy::open(&world);
    let port = world.lab.listen_on_host("127.0.0.1:0".parse().unwrap()).unwrap().port();
    let allowed = world.allow(&[&format!("tcp://host.bottle.internal:{port}")]);
    proxy.before(allowed).python(&format!("tcp('host.bottle.internal', {port}).sendall(b'hello')"));
    assert!(proxy.asked().is_empty());
    assert_eq!(world.lab.received("host").unwrap().len(), 1);
}
