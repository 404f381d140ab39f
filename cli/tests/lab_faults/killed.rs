//! What is left when a process is killed at any moment of its life? Its start is a part of that life, and of a builder's all of it.

use rustix::process::Signal;

use crate::moments::{Moments, part};
use crate::running::{Held, Running};
use crate::scene::{Scene, Victim};

fn killed_at_random(victim: Victim) {
    let row = format!("kill -9 of {victim:?}");
    let mut scene = Scene::new();
    let mut span = victim.span(&mut scene);
    scene.assert_clean("a bottle that nothing struck");
    let (mut moments, mut early, mut late) = (Moments::of(&row, 8, 200), 0, 0);
    while let Some(fraction) = moments.draw() {
        let running = scene.busy();
        victim.await_birth(&running);
        let what = format!("{row} {:?} after its birth", part(span, fraction));
        // The moment itself: nothing announces it.
        Held::new(running.pid()).ends_within(part(span, fraction));
        let begun = scene.world.project("ran").exists();
        let struck = victim.find(&running).is_some_and(|held| held.signal_if_alive(Signal::KILL));
        if struck {
            moments.struck();
            early += usize::from(!begun);
        } else {
            late += 1;
            // It was gone by then. The span may have been measured while the machine was far slower.
            span = part(span, fraction);
        }
        follow(running, victim, struck, &what);
        scene.assert_nothing_left(&what);
        if moments.is_followed_by_a_start() {
            scene.aftermath.assert_next_start(&scene.world, &scene.audit(), &what);
        }
    }
    println!("{row}: {early} before the workload's first instruction; {late} more came when it had ended by itself");
}

/// The end of each helper is the bottle's. A builder that has handed everything over is missed by nobody.
fn follow(mut running: Running, victim: Victim, struck: bool, what: &str) {
    if victim == Victim::Supervisor {
        return running.bury();
    }
    let goes_on = (victim == Victim::Builder || !struck) && running.try_line().is_some();
    if goes_on {
        running.signal(Signal::TERM);
    }
    let ends: &[i32] = if goes_on { &[143] } else { &[125, 137] };
    let said = running.end();
    assert!(ends.contains(&said.code), "{what}: {said:?}");
}

#[test]
fn a_supervisor_that_is_killed_at_any_moment_leaves_nothing() {
    killed_at_random(Victim::Supervisor);
}

#[test]
fn a_builder_that_is_killed_at_any_moment_leaves_nothing() {
    killed_at_random(Victim::Builder);
}

#[test]
fn a_gate_that_is_killed_at_any_moment_leaves_nothing() {
    killed_at_random(Victim::Gate);
}

#[test]
fn a_dialler_that_is_killed_at_any_moment_leaves_nothing() {
    killed_at_random(Victim::Dialler);
}

#[test]
fn an_init_that_is_killed_at_any_moment_leaves_nothing() {
    killed_at_random(Victim::Init);
}
