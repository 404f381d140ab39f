//! Does a tool that has nothing to do with us find our keys and signatures right?
//!
//! These tests need the `openssl` command, version 3 (Debian's package `openssl`), and fail without it.

mod recorded;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64ct::{Base64, Encoding};
use bottle_evidence::audit::SEAL_DOMAIN;
use bottle_evidence::key::{PublicKey, SigningKey};
use bottle_evidence::sha256;
use tempfile::TempDir;

const HINT: &str = "hint: this test needs the openssl command: apt-get install openssl";

struct Bench(TempDir);

impl Bench {
    fn new() -> Bench {
        Bench(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn openssl(&self, arguments: &[&str]) -> Output {
        let output = Command::new("openssl").args(arguments).current_dir(self.0.path()).output();
        output.unwrap_or_else(|error| panic!("openssl cannot be started: {error}\n{HINT}"))
    }

    /// What it prints, provided that it succeeds.
    fn prints(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.openssl(arguments);
        assert!(output.status.success(), "{}\n{HINT}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        self.file("public.pem", recorded::key().public().to_pem().as_bytes());
        self.file("message", message);
        self.file("signature", signature);
        let verify = ["pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-rawin"];
        let files = ["-in", "message", "-sigfile", "signature"];
        self.openssl(&[&verify[..], &files[..]].concat()).status.success()
    }
}

/// The pre-authentication encoding, put together as the specification of DSSE says it, apart from our own code.
fn authenticated(payload: &[u8]) -> Vec<u8> {
    let kind = "application/vnd.in-toto+json";
    [format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).as_bytes(), payload].concat()
}

#[test]
fn openssl_verifies_an_attestation() {
    let bench = Bench::new();
    let envelope: serde_json::Value = serde_json::from_slice(&recorded::attestation()).unwrap();
    let text = |pointer: &str| envelope.pointer(pointer).unwrap().as_str().unwrap();
    let payload = Base64::decode_vec(text("/payload")).unwrap();
    let signature = Base64::decode_vec(text("/signatures/0/sig")).unwrap();
    assert!(bench.accepts(&authenticated(&payload), &signature), "{HINT}");
    let mut changed = payload;
    changed[100] ^= 1;
    assert!(!bench.accepts(&authenticated(&changed), &signature));
}

#[test]
fn openssl_verifies_every_seal() {
    let bench = Bench::new();
    let log = recorded::log();
    let seals = recorded::lines(&log).into_iter().filter_map(|line| {
        let text = String::from_utf8(line).unwrap().trim_end().to_owned();
        text.contains("\"kind\":\"seal\"").then_some(text)
    });
    let seals: Vec<String> = seals.collect();
    assert_eq!(seals.len(), 3);
    for seal in seals {
        let (before, rest) = seal.split_once(",\"signature\":\"").unwrap();
        let (digits, after) = rest.split_once('"').unwrap();
        let signature: Vec<u8> =
            (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect();
        let message = format!("{SEAL_DOMAIN}{before}{after}");
        assert!(bench.accepts(message.as_bytes(), &signature), "{HINT}");
        assert!(!bench.accepts(format!("{before}{after}").as_bytes(), &signature));
    }
}

#[test]
fn openssl_reads_our_keys_and_agrees_about_the_id() {
    let bench = Bench::new();
    let key = SigningKey::generate().unwrap();
    bench.file("private.pem", key.to_pem().as_bytes());
    let public = bench.prints(&["pkey", "-in", "private.pem", "-pubout"]);
    assert_eq!(String::from_utf8(public).unwrap(), key.public().to_pem());
    let der = bench.prints(&["pkey", "-in", "private.pem", "-pubout", "-outform", "DER"]);
    assert_eq!(sha256(&der), key.public().id());
}

#[test]
fn openssl_verifies_what_a_tpm_signed() {
    let bench = Bench::new();
    let quote: serde_json::Value = serde_json::from_str(include_str!("recorded/quote.json")).unwrap();
    let text = |member: &str| quote[member].as_str().unwrap();
    let bytes = |member: &str| Base64::decode_vec(text(member)).unwrap();
    let made = bytes("signature");
    // TPMT_SIGNATURE: the algorithms, and two numbers of 32 bytes each after their lengths.
    let number = |bytes: &[u8]| {
        let sign = if bytes[0] > 127 { &[0][..] } else { &[] };
        [&[2, (sign.len() + bytes.len()) as u8][..], sign, bytes].concat()
    };
    let both = [number(&made[6..38]), number(&made[40..72])].concat();
    bench.file("signature", &[&[0x30, both.len() as u8][..], &both].concat());
    bench.file("key.pem", text("key").as_bytes());
    bench.file("attested", &bytes("attested"));
    let verify = ["dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "attested"];
    bench.prints(&verify);
    bench.file("attested", &[&bytes("attested")[..], b"!"].concat());
    assert!(!bench.openssl(&verify).status.success());
}

#[test]
fn openssl_reads_a_retired_key_as_the_key_that_it_was() {
    let bench = Bench::new();
    let key = recorded::key().public().clone();
    bench.file("retired.pub", key.clone().retired_at(recorded::ISSUED).to_pem().as_bytes());
    let read = bench.prints(&["pkey", "-pubin", "-in", "retired.pub"]);
    assert_eq!(String::from_utf8(read).unwrap(), key.to_pem());
}

#[test]
fn we_read_the_keys_of_openssl() {
    let bench = Bench::new();
    bench.prints(&["genpkey", "-algorithm", "ed25519", "-out", "made.pem"]);
    bench.prints(&["pkey", "-in", "made.pem", "-pubout", "-out", "made.pub"]);
    let read = |name: &str| std::fs::read_to_string(Path::new(bench.0.path()).join(name)).unwrap();
    let key = SigningKey::from_pem(&read("made.pem")).unwrap();
    assert_eq!(key.public(), &PublicKey::from_pem(&read("made.pub")).unwrap());
    assert!(key.public().verifies(b"message", &key.sign(b"message")));
}

#[test]
fn keys_of_another_kind_are_refused() {
    let bench = Bench::new();
    let curve = "ec_paramgen_curve:P-256";
    bench.prints(&["genpkey", "-algorithm", "EC", "-pkeyopt", curve, "-out", "other.pem"]);
    let other = std::fs::read_to_string(bench.0.path().join("other.pem")).unwrap();
    assert!(SigningKey::from_pem(&other).is_err());
}
