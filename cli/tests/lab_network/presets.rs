//! Does a preset that is made of a client's settings let the client work, and nothing else? (W6)

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use bottle_lab::{Answer, Options};

use crate::packages::{self, has, serving};
use crate::world::{Bottle, Run, World, path};

/// Settings in the caller's home, which are also shown inside.
fn settings<'a>(world: &World, bottle: Bottle<'a>, name: &str, text: &str) -> Bottle<'a> {
    let file = world.path("home").join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, text).unwrap();
    shown(bottle, &file, &file)
}

fn shown<'a>(bottle: Bottle<'a>, file: &Path, inside: &Path) -> Bottle<'a> {
    bottle.option("-v", format!("{}:{}:ro", file.display(), inside.display()))
}

/// Runs a script that also tries to get at a server of somebody else and at the client's own default.
fn run(bottle: &Bottle, script: &str, default: &str) -> Run {
    let others = format!("curl -sS https://evil.attacker.example/ https://{default}/ 2>&1 | grep -c 'not resolve'");
    bottle.run(&["sh", "-c", &format!("{script}\n{others}")])
}

fn assert_installed(run: &Run, said: &str, registry: &str, default: &str) {
    assert_eq!(run.ok(), format!("{said}\n2"), "{}", run.err);
    assert_eq!(denied(run), BTreeSet::from(["evil.attacker.example".to_owned(), default.to_owned()]));
    assert!(
        run.log.decisions().all(|decision| decision.name.as_ref().is_some_and(|name| name.to_string() == registry)),
        "{:#?}",
        run.log
    );
}

/// For both families of addresses there is an entry each.
fn denied(run: &Run) -> BTreeSet<String> {
    run.log.names_denied().into_iter().collect()
}

#[test]
fn pip_installs_from_the_index_of_its_settings() {
    let (_directory, world) = serving("pypi.allowed.example", packages::index_of_pip);
    let text = "[global]\nindex-url = https://u:s3cret@pypi.allowed.example/simple\ncert = /etc/ssl/certs/ca-certificates.crt\n";
    let bottle = settings(&world, world.bottle(&["--preset", "pip"]), ".config/pip/pip.conf", text);
    let script = "python3 -m pip install -q --disable-pip-version-check --no-cache-dir --target lib tiny
                  PYTHONPATH=lib python3 -c 'import tiny; print(tiny.WORD)'";
    assert_installed(&run(&bottle, script, "pypi.org"), "installed", "pypi.allowed.example", "pypi.org");
}

/// The company's, at a private address.
#[test]
fn npm_installs_from_the_registry_of_its_settings() {
    has("npm");
    let directory = tempfile::tempdir().unwrap();
    let name = "registry.corp.example";
    packages::registry_of_npm(directory.path(), name);
    let private = Answer::Addresses(vec![Ipv4Addr::new(10, 1, 2, 3).into()], 60);
    let world = World::with(Options::default().files(name, directory.path()).name(name, private));
    let text = "registry=https://registry.corp.example/\n//registry.corp.example/:_authToken=s3cret\n";
    let bottle = settings(&world, world.bottle(&["--preset", "npm"]), ".npmrc", text)
        .option("-e", "NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt");
    let script = "npm install --silent --no-audit --no-fund tiny && node -p 'require(\"tiny\")'";
    assert_installed(&run(&bottle, script, "registry.npmjs.org"), "installed", name, "registry.npmjs.org");
}

/// The toolchain that `tests/run` was started with is the only cargo that there is.
#[test]
fn cargo_fetches_from_what_replaces_crates_io_in_its_settings() {
    let toolchain = std::env::var("BOTTLE_TEST_TOOLCHAIN").expect("BOTTLE_TEST_TOOLCHAIN, which tests/run sets");
    let registry = |directory: &Path| packages::registry_of_cargo(directory, "crates.allowed.example");
    let (_directory, world) = serving("crates.allowed.example", registry);
    fs::create_dir_all(world.project("src")).unwrap();
    world.write("src/lib.rs", "");
    world.write("Cargo.toml", "[package]\nname = \"x\"\nversion = \"0.1.0\"\n[dependencies]\ntiny = \"1\"\n");
    let text = "[source.crates-io]\nreplace-with = 'lab'\n[source.lab]\nregistry = 'sparse+https://crates.allowed.example/index/'\n";
    let bottle = settings(&world, world.bottle(&["--preset", "cargo"]), ".cargo/config.toml", text);
    let bottle = shown(bottle, &PathBuf::from(toolchain), Path::new("/toolchain"))
        .option("-e", "PATH=/toolchain/bin:/usr/bin:/bin")
        .option("-e", "CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt");
    let script = "cargo fetch -q && (cd ~/.cargo/registry/src/*/tiny-1.0.0 && cat src/lib.rs)";
    let run = run(&bottle, script, "index.crates.io");
    assert_installed(&run, "pub fn f() {}", "crates.allowed.example", "index.crates.io");
}

/// Over plain HTTP, as archives of apt's are. The lab's host gets lists of its own.
#[test]
fn apt_downloads_from_the_archive_of_its_settings() {
    let (_directory, world) = serving("deb.allowed.example", packages::archive_of_apt);
    let lists = world.path("apt");
    fs::create_dir_all(lists.join("apt.conf.d")).unwrap();
    fs::write(lists.join("sources.list"), "deb [trusted=yes] http://deb.allowed.example/ ./\n").unwrap();
    let mount = world.lab.privileged("mount").args(["--bind", path(&lists), "/etc/apt"]).output().unwrap();
    assert!(mount.status.success(), "{}", String::from_utf8_lossy(&mount.stderr));
    let bottle = shown(world.bottle(&["--preset", "apt"]), &lists, Path::new("/etc/apt"));
    let script = "mkdir -p apt/lists/partial apt/cache/archives/partial; touch apt/status
                  set -- -qq -o Dir::State=$PWD/apt -o Dir::State::status=$PWD/apt/status -o Dir::Cache=$PWD/apt/cache -o APT::Sandbox::User=
                  apt-get \"$@\" update && apt-get \"$@\" download tiny && dpkg-deb -f tiny_1.0_all.deb Package";
    assert_installed(&run(&bottle, script, "deb.debian.org"), "tiny", "deb.allowed.example", "deb.debian.org");
}

#[test]
fn a_projects_own_settings_allow_nothing() {
    let world = World::new();
    world.write(".npmrc", "registry=https://evil.attacker.example/\n");
    let run = world.bottle(&["--preset", "npm"]).run(&["curl", "-sS", "https://evil.attacker.example/"]);
    assert_eq!((run.code, denied(&run)), (6, BTreeSet::from(["evil.attacker.example".to_owned()])));
    assert!(run.err.contains("preset npm: ") && run.err.contains("project/.npmrc is not read"), "{}", run.err);
}
