//! A log and an attestation as a run leaves them, for tests to break.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use bottle_evidence::audit::{
    Chain, Choice, Decision, DnsDenied, Drift, Ended, Ending, Entry, Inbound, InboundOutcome, Known, Outcome, Process,
    Refused, RunExec, RunRenew, RunStart, Seen, Workload,
};
use bottle_evidence::key::{PublicKey, SigningKey};
use bottle_evidence::predicate::{
    Basis, Fact, Mode, Predicate, Probe, REQUIRED_FACTS, REQUIRED_PROBES, REQUIRED_WHILE_RUNNING, Stage,
    WORKLOAD_IDENTITY,
};
use bottle_evidence::statement::{Statement, Subjects};
use bottle_evidence::{Digest, Time, sha256};

pub const SECOND: u64 = 1_000_000;
/// When the attestation was issued.
pub const ISSUED: Time = time(1_800_000_000);

pub const fn time(seconds: u64) -> Time {
    Time::from_micros(seconds * SECOND)
}

pub fn key() -> SigningKey {
    SigningKey::from_seed([7; 32])
}

pub fn keys() -> Vec<PublicKey> {
    vec![key().public().clone()]
}

/// A log that is being written.
pub struct Recorder {
    pub chain: Chain,
    pub bytes: Vec<u8>,
    clock: u64,
}

impl Recorder {
    pub fn new() -> Recorder {
        Recorder::resume(Chain::new(), Vec::new())
    }

    pub fn resume(chain: Chain, bytes: Vec<u8>) -> Recorder {
        Recorder { chain, bytes, clock: 0 }
    }

    pub fn now(&mut self) -> Time {
        self.clock += 1234;
        Time::from_micros(ISSUED.micros() + SECOND + self.clock)
    }

    pub fn add(&mut self, entry: Entry) {
        let now = self.now();
        self.bytes.extend(self.chain.append(now, &entry).unwrap());
    }

    pub fn seal(&mut self) {
        let now = self.now();
        self.bytes.extend(self.chain.seal(now, &key()).unwrap());
    }

    /// Seals, and begins the log's next file.
    pub fn segment(&mut self) {
        self.seal();
        let now = self.now();
        self.bytes.extend(self.chain.segment(now).unwrap());
    }

    pub fn end(&mut self) {
        let now = self.now();
        let refused = BTreeMap::from([("icmp4".into(), 1), ("udp4".into(), 12)]);
        let ending = Ending { exit: 0, reason: None, millis: 5012, refused };
        self.bytes.extend(self.chain.end(now, ending).unwrap().1);
    }

    /// A whole run, with one entry of each kind that a run has, and its last seal.
    pub fn run(&mut self, id: &str) {
        self.add(start(id));
        self.seal();
        self.add(decision(1, "api.example.com", Choice::Allow));
        self.add(decision(2, "evil.example.net", Choice::Deny));
        self.seal();
        self.add(Entry::DnsDenied(denied("leak.example.org")));
        self.add(outcome(2, Ended::Refused));
        self.add(Entry::Refused(refused()));
        self.add(outcome(1, Ended::Closed));
        self.add(Entry::Inbound(inbound(1)));
        self.add(Entry::InboundOutcome(inbound_ended(1, Ended::Closed)));
        self.add(Entry::RunExec(exec()));
        self.add(Entry::RunRenew(renewed()));
        self.add(Entry::Drift(Drift { what: "route".into(), detail: "a route was added".into() }));
        self.end();
        self.seal();
    }
}

/// The bytes of a log with one whole run.
pub fn log() -> Vec<u8> {
    let mut recorder = Recorder::new();
    recorder.run("run-1");
    recorder.bytes
}

/// The bytes of a log with two whole runs.
pub fn two_runs() -> Vec<u8> {
    let mut recorder = Recorder::new();
    recorder.run("run-1");
    recorder.run("run-2");
    recorder.bytes
}

/// The files of a log of two whole runs: the first run is in two of them, the second in three, and begins in one of the first's.
pub fn files() -> Vec<Vec<u8>> {
    let mut recorder = Recorder::new();
    for run in ["run-1", "run-2"] {
        recorder.add(start(run));
        recorder.add(decision(1, "api.example.com", Choice::Allow));
        recorder.segment();
        recorder.add(outcome(1, Ended::Closed));
        if run == "run-2" {
            recorder.seal();
            recorder.add(decision(2, "evil.example.net", Choice::Deny));
            recorder.segment();
        }
        recorder.end();
        recorder.seal();
    }
    split(&recorder.bytes)
}

/// A log's bytes, parted where its files begin.
pub fn split(log: &[u8]) -> Vec<Vec<u8>> {
    let mut files = vec![Vec::new()];
    for line in lines(log) {
        if line.starts_with(br#"{"kind":"segment""#) {
            files.push(Vec::new());
        }
        files.last_mut().unwrap().extend(line);
    }
    files
}

/// The lines of a log, each with its line feed.
pub fn lines(log: &[u8]) -> Vec<Vec<u8>> {
    log.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

pub fn policy() -> Digest {
    sha256(b"policy")
}

pub fn workload() -> Workload {
    Workload { pid: 4242, start: 987_654 }
}

pub fn run_start(id: &str) -> RunStart {
    RunStart {
        run: id.into(),
        attestation: sha256(&attestation()),
        workload: workload(),
        command: vec!["curl".into(), "-d".into(), "@.env\u{1b}[2J".into()],
        mode: Mode::Enforce,
        policy: policy(),
    }
}

pub fn start(id: &str) -> Entry {
    Entry::RunStart(run_start(id))
}

pub fn judged(attempt: u64, name: &str, decision: Choice) -> Decision {
    Decision {
        attempt,
        process: Process::Known(Known { pid: 4250, start: 987_700, exe: "/usr/bin/curl".into(), uid: 100_000 }),
        name: Some(name.into()),
        address: IpAddr::V4(Ipv4Addr::new(28, 7, 1, 2)),
        port: 443,
        seen: Seen::Tls { sni: Some(name.into()), ech: false },
        decision,
        reason: (decision == Choice::Deny).then(|| "no-rule".into()),
        rule: (decision == Choice::Allow).then(|| "domains[0] at 5:5".into()),
        policy: policy(),
    }
}

pub fn decision(attempt: u64, name: &str, choice: Choice) -> Entry {
    Entry::Decision(judged(attempt, name, choice))
}

pub fn ended(attempt: u64, result: Ended) -> Outcome {
    Outcome {
        attempt,
        result,
        reason: None,
        upstream: (result == Ended::Closed).then_some(IpAddr::V4(Ipv4Addr::new(11, 0, 0, 1))),
        bytes_up: Some(517),
        bytes_down: Some(4096),
        millis: Some(34),
    }
}

pub fn outcome(attempt: u64, result: Ended) -> Entry {
    Entry::Outcome(ended(attempt, result))
}

pub fn denied(name: &str) -> DnsDenied {
    DnsDenied { name: name.into(), qtype: "AAAA".into(), reason: "no-rule".into(), count: 3 }
}

pub fn refused() -> Refused {
    Refused {
        class: "udp4".into(),
        protocol: "udp".into(),
        source_port: Some(40_000),
        address: Some(IpAddr::V4(Ipv4Addr::new(8, 8, 4, 4))),
        port: Some(443),
    }
}

pub fn inbound(connection: u64) -> Inbound {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    Inbound { connection, peer: loopback, peer_port: 41_000, address: loopback, port: 8080, inside: 80 }
}

pub fn inbound_ended(connection: u64, result: Ended) -> InboundOutcome {
    InboundOutcome { connection, result, bytes_in: Some(78), bytes_out: Some(1234), millis: Some(9) }
}

pub fn exec() -> RunExec {
    RunExec { command: vec!["sh".into(), "-c".into(), "ps".into()], user: "1000:1000".into() }
}

pub fn subjects() -> Subjects {
    Subjects { binary: sha256(b"binary"), image: sha256(b"image"), policy: policy() }
}

pub fn nonce() -> Digest {
    sha256(b"nonce")
}

pub fn predicate() -> Predicate {
    let fact = |basis| match basis {
        Basis::Measured => Fact::measured("rtnetlink dump", sha256(b"fact").to_string()),
        Basis::Behavioural => Fact { basis, how: "probe".into(), value: true.into() },
        Basis::Asserted => Fact::asserted("our own word", "1"),
    };
    let facts = REQUIRED_FACTS.iter().map(|required| (required.name.to_owned(), fact(required.basis)));
    let mut facts: BTreeMap<String, Fact> = facts.collect();
    let identity = serde_json::to_value(workload()).unwrap();
    facts.insert(WORKLOAD_IDENTITY.into(), Fact::measured("/proc/PID/stat", identity));
    let challenge = sha256(b"challenge").to_string();
    let probes = [false, true].into_iter().flat_map(|confined| {
        let challenge = &challenge;
        REQUIRED_PROBES.iter().map(move |required| {
            let expected = required.expected.unwrap_or(challenge);
            Probe::new(required.name, confined, expected, expected)
        })
    });
    Predicate {
        run: "run-1".into(),
        stage: Stage::Start,
        issued: ISSUED,
        expires: time(1_800_003_600),
        nonce: nonce(),
        mode: Mode::Enforce,
        facts,
        probes: probes.collect(),
    }
}

/// What is said of `run-1` while it runs, for another nonce.
pub fn predicate_while_running() -> Predicate {
    let start = predicate();
    let is_made_again = |probe: &Probe| REQUIRED_WHILE_RUNNING.iter().any(|made| probe.name.as_str() == made.name);
    let probes = start.probes.iter().filter(|probe| !probe.confined && is_made_again(probe)).cloned().collect();
    Predicate { stage: Stage::Running, nonce: sha256(b"another nonce"), probes, ..start }
}

pub fn renewed_attestation() -> Vec<u8> {
    attest(predicate_while_running())
}

pub fn renewed() -> RunRenew {
    RunRenew { attestation: sha256(&renewed_attestation()), nonce: predicate_while_running().nonce }
}

/// The envelope of an attestation for `run-1`.
pub fn attestation() -> Vec<u8> {
    attest(predicate())
}

pub fn attest(predicate: Predicate) -> Vec<u8> {
    Statement::new(subjects(), predicate).unwrap().sign(&key()).unwrap().to_bytes()
}
