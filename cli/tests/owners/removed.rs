//! Is all of an image gone when it is removed, whoever its files belong to?

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::place::{Place, Whose};

/// How many entries all directories below this one have.
fn entries(path: &Path) -> usize {
    fs::read_dir(path).unwrap().map(|entry| fs::read_dir(entry.unwrap().path()).map_or(1, Iterator::count)).sum()
}

fn remove_all(place: &Place) {
    let names = place.bottle(&["image", "ls", "--json"]);
    let names: serde_json::Value = serde_json::from_str(names.ok()).unwrap();
    for row in names.as_array().unwrap() {
        place.bottle(&["image", "rm", row["name"].as_str().unwrap()]).ok();
    }
}

#[test]
fn an_image_goes_with_its_layers_in_all_the_ways_that_it_was_unpacked() {
    let mut place = Place::loaded(&json!({ "User": "node" }));
    let volume = place.volume();
    place.shell(&[], "true").ok();
    place.shell(&["-v", &volume], "true").ok();
    place.without_range().shell(&[], "true").ok();
    place.with_range();
    let ways = if place.whose() == Whose::Range { 3 } else { 1 };
    assert_eq!(fs::read_dir(place.store("layers")).unwrap().count(), ways);
    place.bottle(&["image", "prune"]).ok();
    assert!(entries(&place.store("layers")) >= 2 * ways);
    remove_all(&place);
    place.bottle(&["image", "prune"]).ok();
    assert_eq!(
        (entries(&place.store("layers")), entries(&place.store("tmp")), entries(&place.store("blobs"))),
        (0, 0, 0)
    );
}

#[test]
fn what_belongs_to_ids_that_are_the_callers_no_more_is_named_with_what_removes_it() {
    let mut place = Place::loaded(&json!({}));
    place.shell(&[], "true").ok();
    remove_all(&place);
    let is_range = place.whose() == Whose::Range;
    let pruned = place.without_range().bottle(&["image", "prune"]);
    if !is_range {
        pruned.ok();
        return;
    }
    // The transferred layers are gone all the same.
    assert_eq!((pruned.code, entries(&place.store("blobs"))), (1, 0), "{pruned:?}");
    assert!(pruned.err.contains("hint: sudo rm -rf /"), "{pruned:?}");
    place.with_range().bottle(&["image", "prune"]).ok();
    assert_eq!(entries(&place.store("tmp")), 0);
}
