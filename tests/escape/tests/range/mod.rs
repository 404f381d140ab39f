//! Where is a sandbox tried? On a lab's host, among canaries, with the internet's journal and captures as witnesses.

#![allow(unreachable_pub, reason = "a test binary exports nothing; pub means visible in all of it")]
#![allow(dead_code, reason = "shared by the tests and by the program that writes the results; each uses a part")]

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bottle_escape::catalogue::{self, Item};
use bottle_escape::field::{Evidence, Field, Host, Marks, Names, Neighbour};
use bottle_escape::judge::{Outside, Verdict, judge};
use bottle_escape::neighbour::{HEARD, READY};
use bottle_escape::stage::{self, Secrets, Staged};
use bottle_escape::tried::Report;
use bottle_lab::addresses::{ATTACKER, ATTACKER_V6, FOREIGN_DNS, HOST, HOST_V6};
use bottle_lab::{Answer, Helper, Lab, Options};
use serde_json::Value;

const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
const BOTTLE_PROXY: &str = "28.0.0.1:3128";
/// On the lab's host; it denies nothing, and so is the control for attempts through bottle's.
const OPEN_PROXY: &str = "11.0.0.2:3128";
/// Where the neighbour would be: in another bottle; on the lab's host, or where the script `unshare-nat` puts it.
const BOTTLE_NEIGHBOUR: &str = "28.0.0.1:4445";
const OPEN_NEIGHBOUR: [&str; 2] = ["11.0.0.2:4445", "10.77.2.2:4445"];
const REBIND: &str = "rebind.example";
const SERVICES: [&str; 8] = ["web", "ssh", "smtp", "postgres", "echo", "collector", "udp", "host"];

/// What runs the attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sandbox<'a> {
    /// Nothing stands in the way: the lab's host itself, with all power over its network.
    Open,
    /// bottle, with one name allowed for TLS, one for plain HTTP, and some that lead where no rule allows.
    Bottle,
    /// bottle, with an empty list of names.
    Closed,
    /// A script under `peers`: given the shared directory and the command, with all power over the lab's network.
    Peer(&'a Path),
}

/// A lab, and what lies on its host.
pub struct Range {
    lab: Lab,
    directory: tempfile::TempDir,
    field: Field,
    secrets: Secrets,
}

/// What became of all attempts in one sandbox.
pub struct Shot {
    pub field: Field,
    pub items: Vec<Item>,
    pub reports: Vec<Report>,
    pub verdicts: Vec<Verdict>,
    /// bottle's audit log.
    pub log: Vec<Value>,
    pub staged: Staged,
}

/// A program of this build, beside the current one or beside its folder `deps` or `examples`.
pub fn beside(name: &str) -> PathBuf {
    let current = std::env::current_exe().unwrap();
    let mut folders = current.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    folders.find(|program| program.is_file()).unwrap_or_else(|| panic!("{name} is not built"))
}

/// The static program that `tests/run` has built.
pub fn static_program() -> PathBuf {
    PathBuf::from(std::env::var_os("BOTTLE_ESCAPE").expect("BOTTLE_ESCAPE names the static program; run `tests/run`"))
}

impl Range {
    /// Fresh, since a token must be seen at most where its own sandbox let it out.
    pub fn new(sandbox: Sandbox<'_>) -> Range {
        bottle_lab::require();
        let directory = tempfile::tempdir().unwrap();
        for name in ["project", "home", "neighbour", "state"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let zone = Answer::Addresses(vec![ATTACKER.into(), ATTACKER_V6.into()], 60);
        let mut options = Options::default().name("*.attacker.example", zone.clone());
        for (name, answer) in rebinding() {
            options = options.name(name, answer);
        }
        // Of use to a proxy only; a real one is somewhere else.
        options = options.name("dns.google", zone).name("_egress.local", Answer::Addresses(vec![HOST.into()], 60));
        if !sandbox.is_bottle() {
            options = options.helper(powerless(directory.path()));
        }
        let lab = Lab::start(options).unwrap();
        let loopback = lab.listen_on_host("127.0.0.1:0".parse().unwrap()).unwrap();
        let outer = [SocketAddr::new(HOST.into(), 0), SocketAddr::new(HOST_V6.into(), 0)];
        let listeners = outer.map(|address| lab.listen_on_host(address).unwrap()).to_vec();
        let seed = random();
        let field = field(sandbox, &seed, directory.path(), loopback, listeners);
        let secrets = Secrets { file: format!("file{}", random()), environment: format!("environment{}", random()) };
        Range { lab, directory, field, secrets }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes all attempts in this sandbox.
    pub fn shoot(self, sandbox: Sandbox<'_>) -> Shot {
        let project = self.path("project");
        let program = project.join("bottle-escape");
        fs::copy(static_program(), &program).unwrap();
        write(&project.join("field.json"), &self.field);
        write(&self.path("secrets.json"), &self.secrets);
        if !sandbox.is_bottle() {
            let evidence = self.field.host.evidence.as_ref().unwrap();
            for (path, text) in [(&evidence.log, ""), (&evidence.key, random().as_str())] {
                fs::write(path, text).unwrap();
                fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
            }
        }
        let neighbour = self.neighbour(sandbox, &program);
        let mut command = self.command(sandbox, &program, "project");
        command.arg("stage").arg("--field").arg(project.join("field.json"));
        command.arg("--secrets").arg(self.path("secrets.json"));
        if sandbox.lacks_proxy() {
            command.args(["--proxy", OPEN_PROXY]);
        }
        if sandbox == Sandbox::Open {
            command.arg("--stand-ins");
        }
        command.arg("--").args(self.around(sandbox, "project", "audit.jsonl"));
        command.arg(&program).args(["run", "--json", "--field"]).arg(project.join("field.json"));
        let output = command.stdin(Stdio::null()).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        neighbour.end();
        let staged: Staged = serde_json::from_slice(&output.stdout).unwrap();
        let said = format!("{said}{}", staged.said);
        let reports: Vec<Report> = staged.out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let items = catalogue::all();
        let words: Vec<&str> = said.lines().filter(|line| !line.starts_with("bottle: blocked")).collect();
        assert_eq!(reports.len(), items.len(), "reports of attempts: {words:#?}");
        let verdicts = judge(&self.field, &items, &reports, &self.outside(sandbox, &staged));
        let log = fs::read_to_string(self.path("audit.jsonl")).unwrap_or_default();
        let log = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Shot { field: self.field.clone(), items, reports, verdicts, log, staged }
    }

    /// The program on the lab's host, in one of its directories.
    fn command(&self, sandbox: Sandbox<'_>, program: &Path, directory: &str) -> Command {
        let mut command = match sandbox {
            Sandbox::Bottle | Sandbox::Closed => self.lab.command(program),
            Sandbox::Open | Sandbox::Peer(_) => self.lab.privileged(program),
        };
        command.env_clear().env("PATH", PATH).env("HOME", self.path("home")).env("LANG", "C.UTF-8");
        command.env("BOTTLE_ROOT", self.path("state")).current_dir(self.path(directory));
        command
    }

    /// A copy of all scripts, where everybody may start them; and which of them this one is.
    fn peer(&self, script: &Path) -> PathBuf {
        let folder = self.path("peers");
        fs::create_dir_all(&folder).unwrap();
        for other in fs::read_dir(script.parent().unwrap()).unwrap().flatten() {
            fs::copy(other.path(), folder.join(other.file_name())).unwrap();
        }
        folder.join(script.file_name().unwrap())
    }

    /// A second sandbox of the same kind, with a program in it that listens.
    fn neighbour(&self, sandbox: Sandbox<'_>, program: &Path) -> Next {
        let copy = self.path("neighbour/bottle-escape");
        fs::copy(program, &copy).unwrap();
        write(&self.path("neighbour/field.json"), &self.field);
        let around = self.around(sandbox, "neighbour", "neighbour.jsonl");
        let listener = [copy.to_str().unwrap(), "neighbour", "--field", "field.json"].map(str::to_owned);
        let mut words = around.into_iter().chain(listener);
        let mut command = self.command(sandbox, Path::new(&words.next().unwrap()), "neighbour");
        let mut child = command.args(words).stdin(Stdio::piped()).spawn().unwrap();
        let end = Instant::now() + Duration::from_secs(30);
        while !self.path("neighbour").join(READY).exists() {
            assert!(Instant::now() < end && child.try_wait().unwrap().is_none(), "the neighbour does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Next(child)
    }

    /// The words before the command that runs inside.
    fn around(&self, sandbox: Sandbox<'_>, directory: &str, audit: &str) -> Vec<String> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        match sandbox {
            Sandbox::Open => Vec::new(),
            Sandbox::Peer(script) => vec![text(&self.peer(script)), text(&self.path(directory))],
            Sandbox::Bottle | Sandbox::Closed => {
                let (audit, key) = (text(&self.path(audit)), text(&self.path("key")));
                let mut words = vec![text(&beside("bottle"))];
                words.extend(["run", "--timeout", "300", "--audit", &audit, "--key", &key].map(str::to_owned));
                words.extend(self.policy(sandbox));
                words.extend(["host", "--"].map(str::to_owned));
                words
            }
        }
    }

    /// The options that say what is allowed.
    fn policy(&self, sandbox: Sandbox<'_>) -> Vec<String> {
        if sandbox == Sandbox::Closed {
            let policy = self.path("policy.yaml");
            fs::write(&policy, "version: 1\ndomains: []\n").unwrap();
            return vec!["--policy".to_owned(), policy.to_str().unwrap().to_owned()];
        }
        let names = self.field.names.as_ref().unwrap();
        let http = format!("http://{}", names.allowed_http);
        let rebind = format!("tcp://*.{REBIND}:9");
        [&names.allowed, &http, &rebind].into_iter().flat_map(|rule| ["--allow".to_owned(), rule.clone()]).collect()
    }

    fn outside(&self, sandbox: Sandbox<'_>, staged: &Staged) -> Outside {
        let mut got: Vec<(String, Vec<u8>)> =
            staged.seen.iter().map(|(place, text)| (format!("canary: {place}"), text.clone().into())).collect();
        for service in SERVICES {
            for received in self.lab.received(service).unwrap() {
                got.push((format!("collector: {service}"), received.head));
                got.push((
                    format!("collector: {service}, server name"),
                    received.server_name.unwrap_or_default().into(),
                ));
                for request in received.requests {
                    let head = format!("{} {} {} {:?}", request.method, request.host, request.target, request.headers);
                    got.push((
                        format!("collector: {service}, request"),
                        [head.into_bytes(), request.body_head].concat(),
                    ));
                }
            }
        }
        got.extend(
            self.lab.dns_queries().unwrap().into_iter().map(|query| ("DNS query".to_owned(), query.name.into())),
        );
        got.push(("the neighbour".to_owned(), fs::read(self.path("neighbour").join(HEARD)).unwrap_or_default()));
        let evidence = self.field.host.evidence.as_ref().unwrap();
        got.extend(forged(evidence));
        // Without a network of its own it has the host's loopback, where what is sent has not got out yet.
        let inside =
            |link: &str, frame: &[u8]| link == "host/lo" && (!sandbox.is_bottle() || is_between(frame, staged.said_to));
        let packets = self.lab.all_packets().unwrap().into_iter();
        let packets = packets.filter(|packet| !inside(&packet.link, &packet.bytes));
        let frames = packets.map(|packet| (packet.link, packet.bytes)).collect();
        let key = fs::read_to_string(&evidence.key).unwrap();
        // What stands between the lines that say that it is a key.
        let key = key.lines().find(|line| !line.starts_with('-')).unwrap().to_owned();
        let secrets = [("file", &self.secrets.file), ("environment", &self.secrets.environment), ("key", &key)];
        let secrets = secrets.into_iter().map(|(place, secret)| (place.to_owned(), secret.clone())).collect();
        Outside { got, frames, secrets }
    }
}

impl Drop for Range {
    fn drop(&mut self) {
        stage::clear(&self.field);
    }
}

/// Whether a frame is TCP over IPv4 from or to this port.
fn is_between(frame: &[u8], port: u16) -> bool {
    let ports = [34, 36].map(|at| frame.get(at..at + 2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]])));
    frame.get(12..15) == Some(&[8, 0, 0x45]) && frame.get(23) == Some(&6) && ports.contains(&Some(port))
}

/// What is there of the evidence that bottle did not make: lines that are no entries, files in its state.
fn forged(evidence: &Evidence) -> Vec<(String, Vec<u8>)> {
    let log = fs::read_to_string(&evidence.log).unwrap_or_default();
    let entry = |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|line| line["kind"] != "forged");
    let lines = log.lines().filter(|line| !entry(line)).map(|line| ("the log".to_owned(), line.into()));
    let names = fs::read_dir(&evidence.state).into_iter().flatten().flatten();
    let names = names.map(|entry| ("the state".to_owned(), entry.file_name().into_encoded_bytes()));
    lines.chain(names).collect()
}

/// A neighbour that listens.
struct Next(Child);

impl Next {
    /// Its input ends, and so does it.
    fn end(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success(), "the neighbour");
    }
}

impl Sandbox<'_> {
    /// A peer whose name says so has one.
    fn lacks_proxy(self) -> bool {
        match self {
            Sandbox::Bottle | Sandbox::Closed => false,
            Sandbox::Peer(script) => !script.file_name().unwrap().to_string_lossy().starts_with("proxy"),
            Sandbox::Open => true,
        }
    }

    fn is_bottle(self) -> bool {
        matches!(self, Sandbox::Bottle | Sandbox::Closed)
    }
}

/// Names that a policy allows, and that lead where no rule allows.
fn rebinding() -> Vec<(&'static str, Answer)> {
    let to = |address: &str| vec![address.parse::<IpAddr>().unwrap()];
    let (public, private) = ([IpAddr::from(ATTACKER)].to_vec(), to("10.1.2.3"));
    vec![
        ("ttl.rebind.example", Answer::Sequence(vec![public.clone(), private.clone()])),
        ("private.rebind.example", Answer::Addresses(private.clone(), 0)),
        ("mixed.rebind.example", Answer::Addresses([private.clone(), public].concat(), 0)),
        ("alias.rebind.example", Answer::Alias("private.lab.example".into())),
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

fn field(
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
            sockets: daemons("unix", "/run").chain([directory.join("project/agents/agent.sock")]).collect(),
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
                key: directory.join("key"),
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

/// Root gives up the machine first: in an open sandbox attempts have all power over the lab, and must have none over the
/// machine that it runs on.
fn powerless(directory: &Path) -> Helper {
    let lab = directory.join("bottle-lab");
    fs::copy(beside("bottle-lab"), &lab).unwrap();
    if !is_root() {
        return Helper::new(lab, [""; 0]);
    }
    for name in ["project", "home", "neighbour", "state", ""] {
        fs::set_permissions(directory.join(name), fs::Permissions::from_mode(0o777)).unwrap();
    }
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"];
    Helper::new(
        "setpriv",
        nobody.into_iter().map(Into::into).chain([lab.into_os_string()]).collect::<Vec<std::ffi::OsString>>(),
    )
}

pub fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Sixteen digits that nobody can know before.
fn random() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap();
    id.chars().filter(char::is_ascii_hexdigit).take(16).collect()
}

fn write(path: &Path, value: &impl serde::Serialize) {
    fs::write(path, serde_json::to_vec_pretty(value).unwrap()).unwrap();
}
