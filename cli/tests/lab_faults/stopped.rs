//! What is left when a process is stopped at any moment of its life, and goes on later?
//!
//! While it is stopped it guards nothing: a workload that runs is cut and killed, one that does not run yet waits or
//! never begins.

use std::time::Duration;

use rustix::process::Signal;

use crate::moments::{Moments, part};
use crate::running::{Held, Running};
use crate::scene::{Scene, Victim};

/// A little more than the patience of those who listen for heartbeats.
const SILENCE: Duration = Duration::from_secs(4);

fn stopped_at_random(victim: Victim) {
    let row = format!("SIGSTOP of {victim:?}");
    let mut scene = Scene::new();
    let span = victim.span(&mut scene);
    let mut moments = Moments::of(&row, 1, 20);
    while let Some(fraction) = moments.draw() {
        let running = scene.busy();
        victim.await_birth(&running);
        let what = format!("{row} {:?} after its birth", part(span, fraction));
        Held::new(running.pid()).ends_within(part(span, fraction));
        let Some(held) = victim.find(&running) else { panic!("{what}: it is not there") };
        assert!(held.signal_if_alive(Signal::STOP), "{what}");
        moments.struck();
        cut(&scene, &running, &what);
        held.signal_if_alive(Signal::CONT);
        follow(running, &what);
        scene.assert_clean(&what);
    }
}

/// Waits for the gate's end, or for its patience to be over where it is not the gate that would notice; nothing passes after that.
fn cut(scene: &Scene, running: &Running, what: &str) {
    let noticed = Victim::Gate.find(running).is_some_and(|gate| gate.ends_within(SILENCE));
    let arrived = || scene.world.lab.received("echo").unwrap().len();
    let before = arrived();
    if noticed {
        Held::new(running.pid()).ends_within(Duration::from_millis(100));
        assert_eq!(arrived(), before, "{what}: connections are made behind a gate that is gone");
    }
    assert!(noticed || !scene.world.project("ran").exists(), "{what}: the workload goes on and nobody watches");
}

/// What was cut ends; a start that was only late goes on, until it is told to end.
fn follow(mut running: Running, what: &str) {
    let goes_on = running.try_line().is_some() && !Held::new(running.pid()).ends_within(Duration::from_secs(1));
    if goes_on {
        running.signal(Signal::TERM);
    }
    let said = running.end();
    // Beside other work a cut may come later than that.
    assert!([125, 137].contains(&said.code) || goes_on && said.code == 143, "{what}: {said:?}");
}

#[test]
fn a_gate_that_is_stopped_at_any_moment_lets_nothing_pass_and_leaves_nothing() {
    stopped_at_random(Victim::Gate);
}

#[test]
fn a_supervisor_that_is_stopped_at_any_moment_lets_nothing_pass_and_leaves_nothing() {
    stopped_at_random(Victim::Supervisor);
}
