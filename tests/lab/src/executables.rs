//! Which test programs did cargo build? Its JSON messages in, one line a program out: name, package folder, path.

use std::io::{self, BufRead, Write};

use serde::Deserialize;

#[derive(Deserialize)]
struct Message {
    reason: String,
    manifest_path: Option<String>,
    target: Option<Target>,
    profile: Option<Profile>,
    executable: Option<String>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// Copies the test programs among cargo's messages to `out`, tabs between the three parts.
pub(crate) fn list(messages: impl BufRead, mut out: impl Write) -> io::Result<()> {
    for line in messages.lines() {
        if let Some(program) = program(&line?) {
            writeln!(out, "{program}")?;
        }
    }
    Ok(())
}

fn program(line: &str) -> Option<String> {
    let message: Message = serde_json::from_str(line).ok()?;
    let is_test = message.reason == "compiler-artifact" && message.profile?.test;
    let (target, manifest) = (message.target?, message.manifest_path?);
    let folder = manifest.strip_suffix("/Cargo.toml")?;
    let package = folder.rsplit('/').next()?;
    let (kind, name, path) = (target.kind.join("+"), target.name, message.executable?);
    is_test.then(|| format!("{package} {kind} {name}\t{folder}\t{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(messages: &str) -> String {
        let mut out = Vec::new();
        list(messages.as_bytes(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_test_program_is_listed_with_its_package_s_folder() {
        let message = r#"{"reason":"compiler-artifact","manifest_path":"/w/dns/Cargo.toml","target":{"name":"wire","kind":["test"]},"profile":{"test":true},"executable":"/t/wire-1"}"#;
        assert_eq!(listed(message), "dns test wire\t/w/dns\t/t/wire-1\n");
    }

    #[test]
    fn libraries_and_plain_programs_are_not_listed() {
        let library = r#"{"reason":"compiler-artifact","manifest_path":"/w/dns/Cargo.toml","target":{"name":"dns","kind":["lib"]},"profile":{"test":false},"executable":null}"#;
        let finished = r#"{"reason":"build-finished","success":true}"#;
        assert_eq!(listed(&format!("{library}\n{finished}\nnoise\n")), "");
    }
}
