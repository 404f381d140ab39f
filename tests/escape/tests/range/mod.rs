//! Where is a sandbox tried? On a lab's host, among canaries, with the internet's journal and captures as witnesses.

#![allow(unreachable_pub, reason = "a test binary exports nothing; pub means visible in all of it")]
#![allow(dead_code, reason = "shared by the tests and by the program that writes the results; each uses a part")]

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use bottle_escape::catalogue::{self, Item};
use bottle_escape::field::{Field, Host, Marks, Names};
use bottle_escape::judge::{Outside, Verdict, judge};
use bottle_escape::stage::{Secrets, Staged};
use bottle_escape::tried::Report;
use bottle_lab::addresses::{ATTACKER, ATTACKER_V6, FOREIGN_DNS, HOST, HOST_V6};
use bottle_lab::{Answer, Helper, Lab, Options};
use serde_json::Value;

const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
const BOTTLE_PROXY: &str = "28.0.0.1:3128";
/// On the lab's host; it denies nothing, and so is the control for attempts through bottle's.
const OPEN_PROXY: &str = "11.0.0.2:3128";
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
    /// A script under `peers`: given the shared directory and the command.
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
        for name in ["project", "home"] {
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
        if sandbox == Sandbox::Open {
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
        let mut command = match sandbox {
            Sandbox::Open => self.lab.privileged(&program),
            _ => self.lab.command(&program),
        };
        command.arg("stage").arg("--field").arg(project.join("field.json"));
        command.arg("--secrets").arg(self.path("secrets.json"));
        if !sandbox.is_bottle() {
            command.args(["--proxy", OPEN_PROXY]);
        }
        command.arg("--");
        command
            .args(self.around(sandbox))
            .arg(&program)
            .args(["run", "--json", "--field"])
            .arg(project.join("field.json"));
        command.env_clear().env("PATH", PATH).env("HOME", self.path("home")).env("LANG", "C.UTF-8");
        command.env("BOTTLE_ROOT", self.path("state")).current_dir(&project).stdin(Stdio::null());
        let output = command.stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let staged: Staged = serde_json::from_slice(&output.stdout).unwrap();
        let reports: Vec<Report> = staged.out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let items = catalogue::all();
        assert_eq!(reports.len(), items.len(), "reports in {:?}\n{said}", staged.out);
        let verdicts = judge(&self.field, &items, &reports, &self.outside(sandbox, &staged));
        let log = fs::read_to_string(self.path("audit.jsonl")).unwrap_or_default();
        let log = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Shot { field: self.field, items, reports, verdicts, log, staged }
    }

    /// The words before the command that runs inside.
    fn around(&self, sandbox: Sandbox<'_>) -> Vec<String> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        match sandbox {
            Sandbox::Open => Vec::new(),
            Sandbox::Peer(script) => vec![text(script), text(&self.path("project"))],
            Sandbox::Bottle | Sandbox::Closed => {
                let audit = text(&self.path("audit.jsonl"));
                let mut words = vec![text(&beside("bottle"))];
                words.extend(["run", "--timeout", "300", "--audit", &audit].map(str::to_owned));
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
        // An open sandbox has the host's own loopback, where what is sent has not got out yet.
        let inside = |link: &str| sandbox == Sandbox::Open && link == "host/lo";
        let packets = self.lab.all_packets().unwrap().into_iter().filter(|packet| !inside(&packet.link));
        let frames = packets.map(|packet| (packet.link, packet.bytes)).collect();
        let secrets = [("file", &self.secrets.file), ("environment", &self.secrets.environment)];
        let secrets = secrets.into_iter().map(|(place, secret)| (place.to_owned(), secret.clone())).collect();
        Outside { got, frames, secrets }
    }
}

impl Sandbox<'_> {
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
            sockets: ["docker.sock", "podman/podman.sock", "containerd/containerd.sock", "systemd/private"]
                .map(|name| Path::new("/run").join(name))
                .to_vec(),
            abstract_sockets: vec!["/containerd-shim/escape.sock".into(), format!("escape-{seed}")],
            secret_files: vec![directory.join("home/.ssh/id_ed25519"), "/run/escape/token".into()],
            drop_files: vec![directory.join("home/.bashrc"), "/run/escape/drop".into()],
            queue: Some(key as i32),
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
    for name in ["project", "home"] {
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
