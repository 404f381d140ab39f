//! Are the files of a kept layer whose they were, whoever goes on with it, and removed whoever they are?

use serde_json::json;

use crate::place::{Place, Whose};

#[test]
fn what_is_kept_belongs_to_the_same_users_in_the_next_run() {
    let place = Place::loaded(&json!({ "User": "node" }));
    let keep = ["--keep", "work"];
    place.shell(&keep, "mkdir -m 700 ~/d && echo x > ~/d/f; echo y > /tmp/z").ok();
    assert_eq!(
        place.shell(&keep, "stat -c %u:%g ~/d ~/d/f /tmp/z; cat ~/d/f").ok(),
        "1000:1000\n1000:1000\n1000:1000\nx\n"
    );
    // Something may be shared later, and somebody else go on with it.
    let volume = place.volume();
    let shared =
        place.shell(&[&keep[..], &["-v", &volume]].concat(), "cp ~/d/f /share/f; stat -c %u:%g ~/d/f /share/f");
    assert_eq!(shared.ok(), "1000:1000\n1000:1000\n");
    let others =
        place.shell(&[&keep[..], &["-u", "0:0"]].concat(), "id -u; touch /made; stat -c %u:%g /home/node /made");
    let expected = match place.whose() {
        Whose::Callers => "0\n0:0\n0:0\n",
        Whose::Range | Whose::Nobodys => "0\n1000:1000\n0:0\n",
    };
    assert_eq!(others.ok(), expected);
    assert_eq!(place.bottle(&["keep", "rm", "work"]).ok(), "work\n");
    assert_eq!(std::fs::read_dir(place.path("state/data/kept")).unwrap().count(), 0);
}

#[test]
fn directories_of_several_users_that_are_closed_to_others_are_removed_with_what_is_kept() {
    let place = Place::loaded(&json!({}));
    for user in ["0:0", "33:34", "1000:1000"] {
        let words = ["--keep", "work", "-u", user];
        place.shell(&words, "mkdir -p /tmp/$(id -u)/deep; touch /tmp/$(id -u)/deep/f; chmod 0 /tmp/$(id -u)/deep; chmod 0 /tmp/$(id -u)").ok();
    }
    place.bottle(&["keep", "rm", "work"]).ok();
    assert_eq!(std::fs::read_dir(place.path("state/data/kept")).unwrap().count(), 0);
}

#[test]
fn a_layer_that_was_begun_with_one_id_goes_on_with_one() {
    let mut place = Place::new(&json!({ "User": "node" }));
    place.without_range().load();
    place.shell(&["--keep", "old"], "echo x > ~/kept; stat -c %u ~/kept").ok();
    place.with_range().load();
    let again = place.shell(&["--keep", "old"], "stat -c %u / ~/kept; cat ~/kept");
    let expected = if place.whose() == Whose::Nobodys { "0\n1000\nx\n" } else { "1000\n1000\nx\n" };
    assert_eq!(again.ok(), expected);
    // Beside it, another one has all ids.
    let fresh = place.shell(&["--keep", "new"], "stat -c %u / ~");
    let expected = if place.whose() == Whose::Callers { "1000\n1000\n" } else { "0\n1000\n" };
    assert_eq!(fresh.ok(), expected);
}

#[test]
fn a_layer_whose_ids_are_not_to_be_had_is_refused_with_a_hint() {
    let mut place = Place::loaded(&json!({}));
    place.shell(&["--keep", "work"], "echo x > /kept").ok();
    if place.whose() != Whose::Range {
        return;
    }
    let refused = place.without_range().shell(&["--keep", "work"], "true");
    assert!(refused.refused().contains("has files of other ids than this run"), "{refused:?}");
    assert!(refused.err.contains("bottle keep rm work"), "{refused:?}");
    assert_eq!(place.with_range().shell(&["--keep", "work"], "cat /kept").ok(), "x\n");
}
