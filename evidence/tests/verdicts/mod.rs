//! What do two verifiers say of the same case? Ours, and the one in tests/independent, which shares no line with it.
//!
//! These tests need `python3` (3.11 or later) and `openssl`, and fail without them.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use bottle_evidence::dsse::EnvelopeError;
use bottle_evidence::incident::{IncidentError, examine_incident};
use bottle_evidence::key::PublicKey;
use bottle_evidence::predicate::Mode;
use bottle_evidence::quote::{AttestationKey, verify_quote};
use bottle_evidence::verify::{BindingError, Expect, Head, LogError, bind, examine_segments, verify_attestation};
use bottle_evidence::{Digest, sha256};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::recorded::keys;

const HINT: &str = "hint: this test needs Python 3.11 and openssl: apt-get install python3 openssl";

/// Cases, each with what we say of it.
pub struct Matrix {
    directory: TempDir,
    keys: Vec<PublicKey>,
    cases: Vec<Case>,
}

struct Case {
    what: String,
    arguments: Vec<String>,
    ours: String,
}

impl Matrix {
    pub fn new() -> Matrix {
        Matrix::with_keys(keys())
    }

    /// Where these keys are trusted.
    pub fn with_keys(keys: Vec<PublicKey>) -> Matrix {
        let directory = tempfile::tempdir().unwrap();
        Matrix { directory, keys, cases: Vec::new() }
    }

    /// An attestation, of which this is demanded.
    pub fn attestation(&mut self, what: impl Into<String>, envelope: &[u8], expect: &Expect) {
        let ours = match verify_attestation(envelope, &self.keys, expect) {
            Ok(_) => "ok".into(),
            Err(error) => format!("{} {}", error.refusal() as u8, error.refusal()),
        };
        self.case(what, "attestation", envelope, ours, demands(expect));
    }

    /// An attestation with what a TPM said, which must be by this key and have these values.
    pub fn quote(
        &mut self,
        what: impl Into<String>,
        envelope: &[u8],
        expect: &Expect,
        (key, pcrs): (&AttestationKey, &BTreeMap<u8, Digest>),
    ) {
        let ours = match verify_attestation(envelope, &self.keys, expect) {
            Ok(verified) => match verify_quote(&verified, key, pcrs) {
                Ok(_) => "ok".into(),
                Err(error) => format!("{} {}", error.refusal() as u8, error.refusal()),
            },
            Err(error) => format!("{} {}", error.refusal() as u8, error.refusal()),
        };
        let key = ["--tpm-ak".into(), self.file(key.to_pem().as_bytes())];
        let pcrs = pcrs.iter().flat_map(|(number, value)| ["--pcr".into(), format!("{number}={value}")]);
        self.case(what, "attestation", envelope, ours, demands(expect).into_iter().chain(key).chain(pcrs).collect());
    }

    /// A log, which must have this line if someone has seen it.
    pub fn log(&mut self, what: impl Into<String>, log: &[u8], seen: Option<Head>) {
        let head = seen.map(|Head { seq, hash }| vec!["--head".into(), format!("{seq}:{hash}")]);
        self.case(what, "log", log, of_log(log, &self.keys, seen, None), head.unwrap_or_default());
    }

    /// A log of these files. Where there is none in a place, none is there under that number.
    pub fn files(&mut self, what: impl Into<String>, files: &[Option<Vec<u8>>]) {
        let there: Vec<&[u8]> = files.iter().flatten().map(Vec::as_slice).collect();
        let ours = match files.iter().position(Option::is_none) {
            Some(missing) => place(&LogError::missing(missing as u64 + 1)),
            None => of_files(&there, &self.keys, None, None),
        };
        let directory = self.directory.path().join(format!("log-{}", self.cases.len()));
        std::fs::create_dir(&directory).unwrap();
        for (number, bytes) in (1..).zip(files) {
            let name = if number == 1 { "a".to_owned() } else { format!("a.{number}") };
            bytes.iter().for_each(|bytes| std::fs::write(directory.join(&name), bytes).unwrap());
        }
        self.asked(what, "log", directory.join("a").display().to_string(), ours, Vec::new());
    }

    /// A log and an attestation.
    pub fn bound(&mut self, what: impl Into<String>, log: &[u8], attestation: &[u8]) {
        let path = self.file(attestation);
        let ours = of_log(log, &self.keys, None, Some(attestation));
        self.case(what, "log", log, ours, vec!["--attestation".into(), path]);
    }

    /// An export.
    pub fn export(&mut self, what: impl Into<String>, export: &[u8]) {
        let ours = of_export(export, &self.keys);
        self.case(what, "export", export, ours, Vec::new());
    }

    /// A file that may hold a public key: what is said of an empty log that it is given for.
    pub fn key(&mut self, what: impl Into<String>, pem: &[u8]) {
        let read = std::str::from_utf8(pem).is_ok_and(|pem| PublicKey::from_pem(pem).is_ok());
        let path = self.file(pem);
        let ours = if read { "line 1" } else { "unusable" };
        self.case(what, "log", b"", ours.into(), vec!["--key".into(), path]);
    }

    fn case(&mut self, what: impl Into<String>, verb: &str, bytes: &[u8], ours: String, options: Vec<String>) {
        let path = self.file(bytes);
        self.asked(what, verb, path, ours, options);
    }

    fn asked(&mut self, what: impl Into<String>, verb: &str, path: String, ours: String, options: Vec<String>) {
        let keys: Vec<String> = self.keys.iter().map(|key| self.file(key.to_pem().as_bytes())).collect();
        let keys = keys.into_iter().flat_map(|path| ["--key".into(), path]);
        let arguments = [verb.into(), path].into_iter().chain(keys).chain(options).collect();
        self.cases.push(Case { what: what.into(), arguments, ours });
    }

    fn file(&self, bytes: &[u8]) -> String {
        let path = self.directory.path().join(sha256(bytes).to_string());
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }

    /// Asks the other one about all cases. Returns what both said, case by case.
    pub fn agreed(self) -> Vec<(String, String)> {
        let asked: String = self.cases.iter().map(|case| format!("{}\n", json!(case.arguments))).collect();
        let answers = ask(self.directory.path(), &asked);
        assert_eq!(answers.len(), self.cases.len(), "not every case was answered");
        let differs = |(case, theirs): (&Case, &String)| {
            (case.ours != *theirs).then(|| format!("{}: we say {}, the other {theirs}", case.what, case.ours))
        };
        let differences: Vec<String> = self.cases.iter().zip(&answers).filter_map(differs).collect();
        assert!(differences.is_empty(), "of {} cases:\n{}", answers.len(), differences.join("\n"));
        self.cases.into_iter().map(|case| case.what).zip(answers).collect()
    }
}

/// The other one's answers to these questions, a line each.
fn ask(directory: &Path, asked: &str) -> Vec<String> {
    let path = directory.join("asked");
    std::fs::write(&path, asked).unwrap();
    let script: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "independent", "verify.py"].iter().collect();
    // -B: nothing is written beside the program.
    let mut command = Command::new("python3");
    let output = command.arg("-B").arg(script).arg("cases").stdin(File::open(path).unwrap()).output();
    let output = output.unwrap_or_else(|error| panic!("python3 cannot be started: {error}\n{HINT}"));
    assert!(output.status.success(), "{}\n{HINT}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines().map(|line| theirs(&serde_json::from_str(line).unwrap())).collect()
}

/// What the other one said, in the words in which we say it here.
fn theirs(answer: &Value) -> String {
    let (code, said) = (answer[0].as_u64().unwrap(), answer[1].as_str().unwrap());
    let first = said.split_once(' ').map_or(said, |(first, _)| first);
    match (code, first) {
        (0, "ok") => "ok".into(),
        (1, "line" | "file") => said.split_once(':').unwrap().0.into(),
        (1, "attestation:") if said.contains("workload.identity") => "attestation: it is of another workload".into(),
        (1, "attestation:") if said[13..].starts_with(char::is_uppercase) => {
            said.split(' ').take(2).collect::<Vec<_>>().join(" ")
        }
        (1, "attestation:") => said.into(),
        (1, "export:") => said.split(": ").take(2).collect::<Vec<_>>().join(": "),
        (2, _) if said.contains("openssl") => panic!("{said}\n{HINT}"),
        (2, _) => "unusable".into(),
        (10.., name) => format!("{code} {name}"),
        _ => panic!("{answer}"),
    }
}

fn demands(expect: &Expect) -> Vec<String> {
    let Expect { now, max_age, nonce, mode, policy, image, binary, boot, living } = expect;
    let mode = mode.map(|mode| if mode == Mode::Enforce { "enforce" } else { "observe" }.to_owned());
    let digest = |digest: &Option<Digest>| digest.map(|digest| digest.to_string());
    let all = [
        ("--at", Some(now.to_string())),
        ("--max-age", max_age.map(|age| age.as_secs().to_string())),
        ("--nonce", digest(nonce)),
        ("--mode", mode),
        ("--policy", digest(policy)),
        ("--image", digest(image)),
        ("--binary", digest(binary)),
        ("--boot-id", boot.map(|boot| boot.to_string())),
        ("--network", living.map(|living| living.network.to_string())),
        ("--workload", living.map(|living| format!("{}:{}", living.workload.pid, living.workload.start))),
    ];
    all.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?])).flatten().collect()
}

/// What `bottle audit verify` says.
fn of_log(log: &[u8], keys: &[PublicKey], seen: Option<Head>, attestation: Option<&[u8]>) -> String {
    of_files(&[log], keys, seen, attestation)
}

fn of_files(files: &[&[u8]], keys: &[PublicKey], seen: Option<Head>, attestation: Option<&[u8]>) -> String {
    let files = files.iter().copied().map(Ok);
    let report = match examine_segments(files, keys, seen).and_then(|report| report.whole().map(|()| report)) {
        Ok(report) => report,
        Err(error) => return place(&error),
    };
    let Some(attestation) = attestation else { return "ok".into() };
    let Some(named) = report.naming(sha256(attestation)).next() else {
        return unbound(BindingError::NoRun);
    };
    match verify_attestation(attestation, keys, &Expect::at(named.time)) {
        Ok(verified) => bind(&verified, &report).map_or_else(unbound, |_| "ok".into()),
        Err(error) => format!("attestation: {}", error.refusal()),
    }
}

/// At which step an export is refused.
fn of_export(export: &[u8], keys: &[PublicKey]) -> String {
    let step = match examine_incident(export, keys) {
        Ok(examined) if examined.log.whole().is_ok() => return "ok".into(),
        Ok(_) => "end",
        Err(IncidentError::Envelope(EnvelopeError::Retired { .. })) => "retired",
        Err(IncidentError::Envelope(_)) => "envelope",
        Err(IncidentError::Form(_)) => "form",
        Err(IncidentError::Log(_)) => "log",
        Err(IncidentError::NotOneRun) => "one run",
        Err(IncidentError::Attestation(_) | IncidentError::Binding(_)) => "attestation",
        Err(IncidentError::Policy) => "policy",
        Err(error) => panic!("{error}"),
    };
    format!("export: {step}")
}

/// Where a log is wrong.
fn place(error: &LogError) -> String {
    match error.segment {
        1 => format!("line {}", error.line),
        file => format!("file {file}, line {}", error.line),
    }
}

/// Why they do not belong together, as the other one says it.
fn unbound(error: BindingError) -> String {
    let what = match error {
        BindingError::NoRun => "no run of this log names it",
        BindingError::Reused => "two lines name it",
        BindingError::OtherStage => "it is of another stage",
        BindingError::OtherNonce => "it has another nonce",
        BindingError::OtherRun => "it is of another run",
        BindingError::OtherMode => "it is of another mode",
        BindingError::OtherPolicy => "it is of another policy",
        BindingError::OtherWorkload => "it is of another workload",
        BindingError::OutsideValidity => "it was not valid then",
    };
    format!("attestation: {what}")
}
