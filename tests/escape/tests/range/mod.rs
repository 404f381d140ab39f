//! Where is a sandbox tried? On a lab's host, among canaries, with the internet's journal and captures as witnesses.

#![allow(unreachable_pub, reason = "a test binary exports nothing; pub means visible in all of it")]
#![allow(dead_code, reason = "shared by the tests and by the program that writes the results; each uses a part")]

pub mod engine;
pub mod programs;
pub mod sandbox;

mod field;
mod neighbour;
mod outside;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bottle_escape::catalogue::{self, Item};
use bottle_escape::field::Field;
use bottle_escape::judge::{Verdict, judge};
use bottle_escape::stage::{self, Secrets, Staged};
use bottle_escape::tried::Report;
use bottle_lab::addresses::{ATTACKER, ATTACKER_V6, HOST, HOST_V6};
use bottle_lab::{Answer, Lab, Options};
use serde_json::Value;

use field::{OPEN_PROXY, rebinding};
use programs::{USER, beside, hand_over, hand_over_below, open_to_all, powerless, static_program};
use sandbox::Sandbox;

const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

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

impl Range {
    /// Fresh, since a token must be seen at most where its own sandbox let it out.
    pub fn new(sandbox: Sandbox<'_>) -> Range {
        bottle_lab::require();
        let directory = tempfile::tempdir().unwrap();
        for name in ["project", "home", "neighbour", "state"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        if sandbox.is_engine() {
            engine::open_what_is_shared(directory.path());
        }
        let zone = Answer::Addresses(vec![ATTACKER.into(), ATTACKER_V6.into()], 60);
        let mut options = Options::default().name("*.attacker.example", zone.clone());
        for (name, answer) in rebinding() {
            options = options.name(name, answer);
        }
        // Of use to a proxy only; a real one is somewhere else.
        options = options.name("dns.google", zone).name("_egress.local", Answer::Addresses(vec![HOST.into()], 60));
        for name in ["bottle.internal", "*.bottle.internal"] {
            options = options.name(name, Answer::Addresses(vec![Ipv4Addr::LOCALHOST.into()], 60));
        }
        if sandbox.is_started_as_root() {
            open_to_all(directory.path());
        } else if !sandbox.is_bottle() {
            options = options.helper(powerless(directory.path()));
        }
        match sandbox {
            Sandbox::Granted(name) => hand_over(directory.path(), name),
            Sandbox::Rootless(_) => hand_over_below(directory.path()),
            _ => {}
        }
        let lab = Lab::start(options).unwrap();
        if sandbox.is_a_users() {
            // Where what is staged lies: in a lab of its own an ordinary user can write there.
            let opened = lab.privileged("chmod").args(["a+rwx", "/run"]).status().unwrap();
            assert!(opened.success());
        }
        let loopback = lab.listen_on_host("127.0.0.1:0".parse().unwrap()).unwrap();
        let outer = [SocketAddr::new(HOST.into(), 0), SocketAddr::new(HOST_V6.into(), 0)];
        let listeners = outer.map(|address| lab.listen_on_host(address).unwrap()).to_vec();
        let seed = random();
        let field = field::field(sandbox, &seed, directory.path(), loopback, listeners);
        let secrets = Secrets { file: format!("file{}", random()), environment: format!("environment{}", random()) };
        Range { lab, directory, field, secrets }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes all attempts in this sandbox.
    pub fn shoot(self, sandbox: Sandbox<'_>) -> Shot {
        self.shoot_part(sandbox, &[])
    }

    /// Makes these, or all if none are named.
    pub fn shoot_part(mut self, sandbox: Sandbox<'_>, part: &[&str]) -> Shot {
        let project = self.path("project");
        let program = project.join("bottle-escape");
        fs::copy(static_program(), &program).unwrap();
        write(&self.path("secrets.json"), &self.secrets);
        if !sandbox.is_bottle() {
            let evidence = self.field.host.evidence.as_ref().unwrap();
            for (path, text) in [(&evidence.log, ""), (&evidence.key, random().as_str())] {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
                fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
            }
        }
        if sandbox.is_engine() {
            self.settings_of_hooks();
        }
        let neighbour = self.neighbour(sandbox, &program);
        if sandbox.is_engine() {
            self.aim_at_the_neighbours_log();
        }
        write(&project.join("field.json"), &self.field);
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
        command.args(part.iter().flat_map(|id| ["--only", id]));
        let output = command.stdin(Stdio::null()).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        neighbour.end();
        let staged: Staged = serde_json::from_slice(&output.stdout).unwrap();
        let said = format!("{said}{}", staged.said);
        let reports: Vec<Report> = staged.out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let items = catalogue::all();
        let words: Vec<&str> = said.lines().filter(|line| !line.starts_with("bottle: blocked")).collect();
        let expected = if part.is_empty() { items.len() } else { part.len() };
        assert_eq!(reports.len(), expected, "reports of attempts: {words:#?}");
        let mut verdicts = judge(&self.field, &items, &reports, &self.outside(sandbox, &staged));
        if sandbox.is_engine() {
            engine::leave_out(&mut verdicts);
        }
        let log = if sandbox.is_engine() { self.log_of_the_container() } else { self.path("audit.jsonl") };
        let log = fs::read_to_string(log).unwrap_or_default();
        let log = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Shot { field: self.field.clone(), items, reports, verdicts, log, staged }
    }

    /// The program on the lab's host, in one of its directories.
    fn command(&self, sandbox: Sandbox<'_>, program: &Path, directory: &str) -> Command {
        let mut command = match sandbox {
            _ if sandbox.is_a_users() => self.lab.command_as(USER, program),
            Sandbox::Open | Sandbox::Peer(_) => self.lab.privileged(program),
            _ => self.lab.command(program),
        };
        command.env_clear().env("PATH", PATH).env("HOME", self.path("home")).env("LANG", "C.UTF-8");
        command.env("BOTTLE_ROOT", self.path("state")).current_dir(self.path(directory));
        if sandbox.is_engine() {
            let bottle = if sandbox.is_a_users() { self.path("bottle") } else { beside("bottle") };
            command.env("BOTTLE", bottle).env("SETTINGS", self.path(engine::SETTINGS));
        }
        command
    }
}

impl Drop for Range {
    fn drop(&mut self) {
        stage::clear(&self.field);
    }
}

/// Sixteen digits that nobody can know before.
fn random() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap();
    id.chars().filter(char::is_ascii_hexdigit).take(16).collect()
}

fn write(path: &Path, value: &impl serde::Serialize) {
    fs::write(path, serde_json::to_vec_pretty(value).unwrap()).unwrap();
}
