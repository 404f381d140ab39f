//! What do the servers of package managers have that a test's clients ask? One package each, `tiny`.

use std::fs;
use std::path::Path;
use std::process::Command;

use bottle_lab::Options;

use crate::world::World;

/// A directory, and a world in which a name serves it.
pub fn serving(name: &str, fill: impl FnOnce(&Path)) -> (tempfile::TempDir, World) {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path());
    let world = World::with(Options::default().files(name, directory.path()));
    (directory, world)
}

/// Runs a script in a directory, which must succeed.
pub fn tool(directory: &Path, script: &str) {
    let mut command = Command::new("sh");
    command.args(["-euc", script]).current_dir(directory).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.env("HOME", directory).env("GIT_CONFIG_NOSYSTEM", "1");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Asserts that a program is installed.
pub fn has(program: &str) {
    let there = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap().status.success();
    assert!(there, "{program} is not installed\nhint: tests/run installs it");
}

/// A wheel and the index that lists it.
pub fn index_of_pip(directory: &Path) {
    fs::create_dir_all(directory.join("simple/tiny")).unwrap();
    let wheel = "tiny-1.0-py3-none-any.whl";
    let index = format!("<a href=\"{wheel}\">{wheel}</a>");
    fs::write(directory.join("simple/tiny/index.html"), index).unwrap();
    let script = format!(
        "python3 - <<'E'
import zipfile
with zipfile.ZipFile('simple/tiny/{wheel}', 'w') as wheel:
    wheel.writestr('tiny.py', 'WORD = \"installed\"')
    wheel.writestr('tiny-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n')
    wheel.writestr('tiny-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: a test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr('tiny-1.0.dist-info/RECORD', '')
E"
    );
    tool(directory, &script);
}

/// A package and the document about it, both of this host.
pub fn registry_of_npm(directory: &Path, host: &str) {
    tool(
        directory,
        "mkdir package; echo '{\"name\":\"tiny\",\"version\":\"1.0.0\"}' >package/package.json
         echo 'module.exports = \"installed\"' >package/index.js; tar czf tiny.tgz package",
    );
    let version = serde_json::json!({
        "name": "tiny", "version": "1.0.0", "dist": { "tarball": format!("https://{host}/tiny.tgz") },
    });
    let document = serde_json::json!({
        "name": "tiny", "dist-tags": { "latest": "1.0.0" }, "versions": { "1.0.0": version },
    });
    fs::create_dir(directory.join("tiny")).unwrap();
    fs::write(directory.join("tiny/index.html"), document.to_string()).unwrap();
}

/// A crate and a sparse index of it, both of this host.
pub fn registry_of_cargo(directory: &Path, host: &str) {
    tool(
        directory,
        r#"mkdir -p index/ti/ny tiny-1.0.0/src; echo 'pub fn f() {}' >tiny-1.0.0/src/lib.rs
        printf '[package]\nname = "tiny"\nversion = "1.0.0"\n' >tiny-1.0.0/Cargo.toml
        tar czf tiny-1.0.0.crate tiny-1.0.0
        sum=$(sha256sum tiny-1.0.0.crate | cut -d' ' -f1)
        echo '{"name":"tiny","vers":"1.0.0","deps":[],"features":{},"yanked":false,"cksum":"'$sum'"}' >index/ti/ny/tiny"#,
    );
    let config = format!("{{\"dl\":\"https://{host}/{{crate}}-{{version}}.crate\"}}");
    fs::write(directory.join("index/config.json"), config).unwrap();
}

/// A package and the index of it, in one directory.
pub fn archive_of_apt(directory: &Path) {
    has("dpkg-deb");
    tool(
        directory,
        "mkdir -p tiny/DEBIAN; printf 'Package: tiny\\nVersion: 1.0\\nArchitecture: all\\nMaintainer: a <a@b.example>\\nDescription: tiny\\n' >tiny/DEBIAN/control
         dpkg-deb --root-owner-group --build tiny tiny_1.0_all.deb >/dev/null
         { cat tiny/DEBIAN/control; echo 'Filename: ./tiny_1.0_all.deb'; echo Size: $(stat -c %s tiny_1.0_all.deb)
           echo SHA256: $(sha256sum tiny_1.0_all.deb | cut -d' ' -f1); } >Packages",
    );
}
