//! Is what runs leave each other one run's at a time, and gone when it is removed?

use bottle_images::OneMap;

use super::*;

fn state() -> (tempfile::TempDir, State) {
    let top = tempfile::tempdir().unwrap();
    let state = State { data: top.path().join("data"), run: top.path().join("run") };
    (top, state)
}

fn own() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn plain() -> Ids {
    Ids::Plain { uid: own() }
}

fn name(text: &str) -> KeptName {
    text.parse().unwrap()
}

#[test]
fn a_name_is_one_plain_word() {
    for text in ["work", "a", "1", "my.project_2-x"] {
        assert_eq!(name(text).to_string(), text);
    }
    for text in ["", ".", "..", ".x", "-x", "a/b", "a b", "ä", &"x".repeat(65)] {
        assert!(text.parse::<KeptName>().is_err(), "{text:?}");
    }
}

#[test]
fn it_is_gone_on_with_upon_the_same_image_by_one_at_a_time() {
    let (_top, state) = state();
    let first = Kept::take(&state, &name("work"), "dir:/x", own(), None).unwrap();
    assert!(matches!(Kept::take(&state, &name("work"), "dir:/x", own(), None), Err(KeptError::Busy(_))));
    assert!(matches!(remove(&state, &name("work"), &plain()), Err(KeptError::Busy(_))));
    let range = first.range();
    drop(first);
    let again = Kept::take(&state, &name("work"), "dir:/x", own(), None).unwrap();
    assert_eq!(again.range(), range);
    drop(again);
    let other = Kept::take(&state, &name("work"), "dir:/y", own(), None).unwrap_err();
    assert!(other.hint().unwrap().starts_with("run dir:/x"), "{other}");
}

#[test]
fn a_layer_is_gone_on_with_under_the_ids_that_it_was_begun_with_and_says_which() {
    let (_top, state) = state();
    let one = |place| OneMap { first: 100_000, own: 1000, place };
    let map = IdMap { uids: one(33), gids: one(33) };
    assert_eq!(begun(&state, &name("work")).unwrap(), Begun::NotYet);
    drop(Kept::take(&state, &name("work"), "dir:/x", own(), Some(map)).unwrap());
    drop(Kept::take(&state, &name("old"), "dir:/x", own(), None).unwrap());
    assert_eq!(begun(&state, &name("work")).unwrap(), Begun::With(map));
    assert_eq!(begun(&state, &name("old")).unwrap(), Begun::WithOneId);
    for (called, other) in [("work", None), ("work", Some(map.at((0, 0)))), ("old", Some(map))] {
        let error = Kept::take(&state, &name(called), "dir:/x", own(), other).unwrap_err();
        assert!(matches!(error, KeptError::OtherIds(_)) && error.hint().is_some(), "{called}");
    }
}

#[test]
fn layers_of_roots_have_ids_of_their_own() {
    let (top, _) = state();
    let ranges = [3, 2, 1].map(|taken| {
        let range = free_range(top.path()).unwrap();
        let directory = top.path().join(taken.to_string());
        std::fs::create_dir(&directory).unwrap();
        begin(&directory, Base { image: String::new(), range: Some(range), map: None }).unwrap();
        range
    });
    assert_eq!(ranges, [RANGES - 1, RANGES - 2, RANGES - 3]);
}

#[test]
fn what_is_kept_is_listed_until_it_is_removed() {
    let (_top, state) = state();
    assert_eq!(list(&state).unwrap(), []);
    for text in ["b", "a"] {
        Kept::take(&state, &name(text), "dir:/x", own(), None).unwrap();
    }
    let names: Vec<String> = list(&state).unwrap().into_iter().map(|kept| kept.name.to_string()).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(remove(&state, &name("a"), &plain()).unwrap());
    assert!(!remove(&state, &name("a"), &plain()).unwrap());
    assert_eq!(list(&state).unwrap().len(), 1);
}

#[test]
fn what_a_crash_left_of_a_removed_layer_goes_with_the_next_and_what_another_removes_stays() {
    let (_top, state) = state();
    for text in ["a", "b"] {
        drop(Kept::take(&state, &name(text), "dir:/x", own(), None).unwrap());
    }
    let all = state.data.join("kept");
    std::fs::create_dir_all(all.join(".removed-0/upper/x")).unwrap();
    assert!(remove(&state, &name("a"), &plain()).unwrap());
    assert_eq!(std::fs::read_dir(&all).unwrap().count(), 1);
    std::fs::create_dir(all.join(".removed-0")).unwrap();
    let held = hold(&all.join(".removed-0")).unwrap();
    rustix::fs::flock(&held, FlockOperation::LockExclusive).unwrap();
    assert!(remove(&state, &name("b"), &plain()).unwrap());
    assert!(all.join(".removed-0").exists() && list(&state).unwrap().is_empty());
}

#[test]
fn what_is_no_list_of_ours_is_damaged_and_says_so() {
    let (_top, state) = state();
    Kept::take(&state, &name("a"), "dir:/x", own(), None).unwrap();
    std::fs::write(state.data.join("kept/a/base.json"), "{").unwrap();
    assert!(matches!(Kept::take(&state, &name("a"), "dir:/x", own(), None), Err(KeptError::Damaged { .. })));
}
