//! What do gate and dialler hold: whose descriptors, and is the key in their memory?

#[path = "../../../tpm/tests/swtpm/mod.rs"]
mod swtpm;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use base64ct::{Base64, Encoding};
use swtpm::Swtpm;

use crate::host;
use crate::puppet::Puppet;
use crate::running::{Held, Processes, Running};
use crate::scene;
use crate::world::{LIMIT, World, said, text};

#[test]
fn neither_helper_holds_a_descriptor_of_the_others_or_of_a_file() {
    let world = World::new();
    let running = scene::bottle(&world);
    let Processes { gate, dialler, supervisor, workload, .. } = running.processes();
    let held = |process: &Held| host::links(&format!("/proc/{}/fd", process.pid));
    let sockets = |process: &Held| -> BTreeSet<String> {
        held(process).into_iter().filter(|link| link.starts_with("socket:")).collect()
    };
    let deadline = Instant::now() + LIMIT;
    for (name, helper) in [("gate", &gate), ("dialler", &dialler)] {
        for link in held(helper) {
            let kinds = ["socket:[", "pipe:[", "anon_inode:", "/dev/null"];
            assert!(kinds.iter().any(|kind| link.starts_with(kind)), "{link}");
        }
        for other in [&gate, &dialler, &supervisor, &workload].into_iter().filter(|other| other.pid != helper.pid) {
            // The workload has had an answer through the socket that the dialler opened for the gate: the dialler is about to close its own.
            loop {
                let shared: Vec<_> = sockets(helper).intersection(&sockets(other)).cloned().collect();
                if shared.is_empty() {
                    break;
                }
                assert!(Instant::now() < deadline, "{name} and {}: {shared:?}", other.pid);
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
    }
    scene::assert_unharmed(&world, running);
}

#[test]
fn the_key_is_in_the_memory_of_no_helper() {
    let world = World::new();
    let running = scene::bottle(&world);
    assert_only_the_supervisor_has(&running, &seed(&world.path("state/data/keys/bottle.key")));
    scene::assert_unharmed(&world, running);
}

#[test]
fn a_key_that_a_tpm_gives_back_is_in_the_memory_of_no_helper_either() {
    let (world, tpm) = (World::new(), Swtpm::new());
    let socket = tpm.socket();
    said(&mut world.bottle(&["attest", "keygen", "--seal", "--tpm", text(&socket)])).ok();
    let running = scene::bottle_that_may(&world, &["--tpm", text(&socket)]);
    let file = fs::read(world.path("state/data/keys/bottle.key")).unwrap();
    let file: serde_json::Value = serde_json::from_slice(&file).unwrap();
    let part = |name: &str| Base64::decode_vec(file[name].as_str().unwrap()).unwrap();
    let pcrs = bottle_tpm::Pcrs::new([]).unwrap();
    let sealed = bottle_tpm::Sealed { public: part("public"), private: part("private"), pcrs };
    let seed = bottle_tpm::Tpm::open(&socket).unwrap().unseal(&sealed).unwrap();
    assert_only_the_supervisor_has(&running, &seed);
    scene::assert_unharmed(&world, running);
}

/// Gate and dialler have not these bytes, and would be found to.
fn assert_only_the_supervisor_has(running: &Running, seed: &[u8]) {
    let processes = running.processes();
    for helper in [&processes.gate, &processes.dialler] {
        assert!(!remembers(helper, seed));
        // The control: one that has it is found.
        Puppet::hold(helper).put(seed);
        assert!(remembers(helper, seed));
    }
}

#[test]
fn the_password_of_the_upstream_proxy_is_in_the_memory_of_neither_gate_nor_init_nor_workload() {
    let world = World::new();
    let url = "http://user:s3cretw0rd@127.0.0.1:9";
    let running = world.start(&["--upstream-proxy", url, "host", "--", "bash", "-c", "echo ready; exec cat"]).ready();
    let processes = running.processes();
    // Init and the workload can't be looked into by an ordinary user.
    let is_root = rustix::process::geteuid().is_root();
    let others = [&processes.gate, &processes.init, &processes.workload];
    let others = if is_root { &others[..] } else { &others[..1] };
    for form in ["user:s3cretw0rd", "dXNlcjpzM2NyZXR3MHJk"] {
        for other in others {
            assert!(!remembers(other, form.as_bytes()), "{form}");
        }
    }
    assert!(remembers(&processes.dialler, b"dXNlcjpzM2NyZXR3MHJk"), "the control: it has to send it");
    for helper in others.iter().chain(&[&processes.dialler]) {
        for file in ["cmdline", "environ"] {
            let text = fs::read(format!("/proc/{}/{file}", helper.pid)).unwrap();
            assert!(!contains(&text, b"s3cretw0rd"), "{file}");
        }
    }
    scene::assert_unharmed(&world, running);
}

/// The secret number at the end of an Ed25519 key's PKCS#8 (RFC 8410).
fn seed(file: &Path) -> Vec<u8> {
    let text = fs::read_to_string(file).unwrap();
    let inner: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    let der = Base64::decode_vec(&inner).unwrap();
    let at = der.windows(4).position(|window| window == [4, 34, 4, 32]).expect("an octet string within another");
    der[at + 4..at + 36].to_vec()
}

/// Whether the bytes lie anywhere in what the process can read of its own.
fn remembers(process: &Held, bytes: &[u8]) -> bool {
    let memory = File::open(format!("/proc/{}/mem", process.pid)).unwrap();
    let maps = fs::read_to_string(format!("/proc/{}/maps", process.pid)).unwrap();
    let own = maps.lines().filter(|line| line.contains(" r") && !line.contains("[vvar"));
    own.filter_map(|line| {
        let (from, to) = line.split(' ').next()?.split_once('-')?;
        let [from, to] = [from, to].map(|number| u64::from_str_radix(number, 16).unwrap());
        let mut content = vec![0; usize::try_from(to - from).ok()?];
        // A few mappings of the kernel's can't be read from outside.
        memory.read_exact_at(&mut content, from).ok().map(|()| content)
    })
    .any(|content| contains(&content, bytes))
}

fn contains(content: &[u8], bytes: &[u8]) -> bool {
    let mut rest = content;
    while let Some(at) = rest.iter().position(|byte| *byte == bytes[0]) {
        rest = &rest[at..];
        if rest.starts_with(bytes) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}
