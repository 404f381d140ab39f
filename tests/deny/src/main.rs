//! Which dependencies may this workspace have? Reads `cargo metadata` offline and names what breaks a table of `tables.rs`.

mod findings;
mod licence;
mod tables;
mod version;

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let packages = match metadata() {
        Ok(packages) => packages,
        Err(why) => {
            eprintln!("bottle-deny: {why}");
            return ExitCode::from(2);
        }
    };
    let findings = findings::findings(&packages);
    for finding in &findings {
        eprintln!("{finding}");
    }
    println!("{} packages, {} findings", packages.len(), findings.len());
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The packages of this platform's build, tests included, from the lock file and the local registry copy alone.
fn metadata() -> Result<Vec<findings::Package>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let host = host()?;
    let output = Command::new(cargo)
        .args(["metadata", "--offline", "--locked", "--format-version=1"])
        .args(["--filter-platform", &host])
        .output()
        .map_err(|error| format!("starting cargo: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("cargo metadata failed: {said}hint: cargo fetch --locked"));
    }
    findings::parse(&output.stdout).map_err(|error| format!("reading cargo's metadata: {error}"))
}

fn host() -> Result<String, String> {
    let output = Command::new("rustc").arg("-vV").output().map_err(|error| format!("starting rustc: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc -vV names no host".to_owned())
}
