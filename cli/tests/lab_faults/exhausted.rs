//! What does a bottle do that runs out of descriptors or memory? It refuses to start, or denies; nothing passes unrecorded.

use std::process::Command;

use crate::moments::Moments;
use crate::scene::Scene;
use crate::world::{BOTTLE, said};

/// More than any start takes.
const DESCRIPTORS: f64 = 150.0;
const MEBIBYTES: f64 = 400.0;

/// `bottle run` with these limits, and a fresh log.
fn limited(scene: &mut Scene, limit: &str, command: &[&str]) -> Command {
    scene.begin();
    let mut bottle = scene.world.program("prlimit");
    bottle.arg(limit).arg(BOTTLE).args(scene.options()).args(command);
    bottle
}

const TRUE: [&str; 5] = ["host", "--", "sh", "-c", "echo > ran"];

#[test]
fn a_start_with_too_few_descriptors_is_refused_and_leaves_nothing() {
    let mut scene = Scene::new();
    let mut moments = Moments::of("a start with few descriptors", 8, 100);
    while let Some(fraction) = moments.draw() {
        moments.struck();
        let limit = format!("--nofile={0}:{0}", 4 + (fraction * DESCRIPTORS) as u64);
        let said = said(&mut limited(&mut scene, &limit, &TRUE));
        assert!([0, 125].contains(&said.code), "{limit}: {said:?}");
        assert_eq!(said.code == 0, scene.world.project("ran").exists(), "{limit}: {said:?}");
        scene.assert_nothing_left(&limit);
    }
    scene.assert_clean("few descriptors");
}

/// The caller's soft limit is no obstacle where the hard one suffices, and it is the command's again.
#[test]
fn a_soft_limit_of_descriptors_is_raised_for_the_start_and_left_to_the_command() {
    let mut scene = Scene::new();
    let command = ["host", "--", "sh", "-c", "echo > ran; ulimit -Sn; ulimit -Hn"];
    let said = said(&mut limited(&mut scene, "--nofile=60:900", &command));
    assert_eq!((said.code, said.out.as_str()), (0, "60\n900\n"), "{said:?}");
    scene.assert_clean("a low soft limit");
}

#[test]
fn a_start_without_enough_descriptors_says_so_and_what_helps() {
    let mut scene = Scene::new();
    let mut refused = 0;
    for most in (20..=140).step_by(10) {
        let said = said(&mut limited(&mut scene, &format!("--nofile={most}:{most}"), &TRUE));
        assert!(!said.err.contains("truncated"), "{most}: {said:?}");
        assert_eq!(said.code == 125, said.err.contains("hint: allow more open files: `ulimit -n"), "{most}: {said:?}");
        refused += u64::from(said.code == 125);
    }
    assert!(refused > 4, "{refused}");
    scene.assert_clean("too few descriptors");
}

/// What can't be allocated ends a process on the spot, which is a crash like any other.
#[test]
fn a_start_with_too_little_memory_fails_and_leaves_nothing() {
    let mut scene = Scene::new();
    let mut moments = Moments::of("a start with little memory", 8, 100);
    while let Some(fraction) = moments.draw() {
        moments.struck();
        let limit = format!("--as={}", (fraction * MEBIBYTES * 1_048_576.0) as u64);
        let ended = limited(&mut scene, &limit, &TRUE).output().unwrap();
        let ran = scene.world.project("ran").exists();
        assert!(!ended.status.success() || ran, "{limit}: {ended:?}");
        scene.assert_nothing_left(&limit);
    }
    scene.assert_clean("little memory");
}

/// More connections at once than the gate or the dialler has descriptors for, to its resolver and through it.
const CROWD: &str = r"
import os, socket
def ask():
    held = []
    for address in '28.0.0.1', 'fd28::1', '127.0.0.1', '127.0.0.11', '127.0.0.53', '::1':
        for _ in range(25): held.append(socket.create_connection((address, 53), 20))
    os.write(write, b'x'); os.read(wait, 1)
# Each process may have as few descriptors as the gate has.
(read, write), (wait, hold) = os.pipe(), os.pipe()
for _ in range(2):
    if os.fork() == 0: os.close(hold); ask(); os._exit(0)
for _ in range(2): os.read(read, 1)
def connect():
    try:
        one = socket.create_connection(('web.lab.example', 7), 2); one.sendall(b'token\n'); one.settimeout(0.05); return one
    except OSError: return None
def answered(one):
    try: return one is not None and one.recv(9) == b'token\n'
    except OSError: return False
crowd = [connect() for _ in range(160)]
print(sum(map(answered, crowd)), flush=True)
del crowd
while not answered(connect()): pass
print('served', flush=True)
";

#[test]
fn connections_beyond_the_descriptors_are_denied_and_those_after_them_served() {
    let mut scene = Scene::new();
    let said = said(&mut limited(&mut scene, "--nofile=180:180", &["host", "--", "python3", "-c", CROWD]));
    assert_eq!(said.code, 0, "{said:?}");
    let lines: Vec<&str> = said.out.lines().collect();
    let served: usize = lines[0].parse().unwrap();
    assert!((1..160).contains(&served) && lines[1] == "served", "{said:?}");
    scene.assert_clean("more connections than descriptors");
}
