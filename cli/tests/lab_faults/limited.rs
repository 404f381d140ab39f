//! What is left of a bottle with limits? Its control groups outlive a killed supervisor, and are gone when the next one has started.

use rustix::process::Signal;

use crate::host;
use crate::moments::{Moments, part};
use crate::running::Held;
use crate::scene::{Scene, Victim};
use crate::world::{said, text};

/// Strikes at random moments. An ordinary user is given no groups here, so its bottles end by themselves, and leave none either.
fn killed_at_random(victim: Victim) {
    let row = format!("kill -9 of {victim:?} of a bottle with limits");
    let mut scene = Scene::new();
    let span = victim.span(&mut scene);
    let (mut moments, mut left) = (Moments::of(&row, 8, 200), 0);
    while let Some(fraction) = moments.draw() {
        let mut running = scene.limited();
        victim.await_birth(&running);
        let what = format!("{row} {:?} after its birth", part(span, fraction));
        // The moment itself: nothing announces it.
        Held::new(running.pid()).ends_within(part(span, fraction));
        if victim.find(&running).is_some_and(|held| held.signal_if_alive(Signal::KILL)) || !host::is_root() {
            moments.struck();
        }
        match victim {
            Victim::Supervisor => running.bury(),
            _ => {
                if running.try_line().is_some() {
                    running.signal(Signal::TERM);
                }
                running.bury();
            }
        }
        scene.aftermath.assert_gone(&what);
        left += usize::from(next_start(&scene, &what));
        scene.assert_nothing_left(&what);
    }
    println!("{row}: {left} left groups to the next start");
}

/// Whether the next bottle, which has no limits, found groups to remove; with a log of its own.
fn next_start(scene: &Scene, what: &str) -> bool {
    let audit = scene.world.path("next.log");
    let next = said(&mut scene.world.bottle(&["run", "--audit", text(&audit), "host", "--", "true"]));
    let removed = next.err == "bottle: warning: removed the control groups that a killed run had left\n";
    assert!(next.code == 0 && (removed || next.err.is_empty()), "{what}: {next:?}");
    removed
}

#[test]
fn a_killed_supervisor_leaves_groups_to_the_next_start_at_most() {
    killed_at_random(Victim::Supervisor);
}

#[test]
fn a_killed_init_leaves_no_groups() {
    killed_at_random(Victim::Init);
}
