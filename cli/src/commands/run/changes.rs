//! How does the list of changed files look at the end of a run? What a person must see first, in no more lines than a person
//! reads; of the rest how much there is, and where.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;

use bottle_images::changed::{Change, Gravity};

use super::news::in_one_line;
use crate::amount::counted;

/// The most files that are named.
const NAMED: usize = 100;

/// The most directories that the rest is summed up for.
const SUMMED_UP: usize = 10;

/// The lines. `list` is where all of it was written.
pub(super) fn lines(changes: &[Change], list: Option<&Path>) -> Vec<String> {
    let (named, rest) = parted(changes);
    let list = list.map_or(String::new(), |list| format!(" (all in {})", shown(list)));
    let mut lines = vec![format!("the command changed files that this machine may execute later{list}:")];
    lines.extend(named.iter().map(|change| format!("  {}", shown(&change.path))));
    lines.extend(summed_up(&rest));
    lines
}

/// Those that are named, and the others. Each gravity has its share of what the graver ones leave, so that none can fill all.
fn parted(changes: &[Change]) -> (Vec<&Change>, Vec<&Change>) {
    let (mut named, mut rest) = (Vec::new(), Vec::new());
    for (others, gravity) in [(3, Gravity::Git), (2, Gravity::Top), (1, Gravity::Deeper)] {
        let share = (NAMED - named.len()) / others;
        let (first, more): (Vec<_>, Vec<_>) = changes
            .iter()
            .filter(|change| change.gravity == gravity)
            .enumerate()
            .partition(|(place, _)| *place < share);
        named.extend(first.into_iter().map(|(_, change)| change));
        rest.extend(more.into_iter().map(|(_, change)| change));
    }
    if changes.len() <= NAMED { (changes.iter().collect(), Vec::new()) } else { (named, rest) }
}

/// One line for each directory, those with the most first.
fn summed_up(rest: &[&Change]) -> Vec<String> {
    let mut counts: BTreeMap<&Path, u64> = BTreeMap::new();
    rest.iter().for_each(|change| *counts.entry(&change.within).or_default() += 1);
    let mut counts: Vec<(&Path, u64)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| Reverse(*count));
    let (most, others) = counts.split_at(counts.len().min(SUMMED_UP));
    let elsewhere = others.iter().map(|(_, count)| count).sum();
    let lines =
        most.iter().map(|(within, count)| format!("  and {} more in {}", counted(*count, "file"), shown(within)));
    let others = (!others.is_empty())
        .then(|| format!("  and {} more in {} other directories", counted(elsewhere, "file"), others.len()));
    lines.chain(others).collect()
}

fn shown(path: &Path) -> String {
    in_one_line(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(gravity: Gravity, within: &str, name: &str) -> Change {
        Change { path: Path::new(within).join(name), gravity, within: within.into() }
    }

    #[test]
    fn a_changed_file_is_one_line_whatever_its_name() {
        let changes = [change(Gravity::Top, "/w/hooks", "a\nbottle: all is well")];
        assert_eq!(lines(&changes, None)[1..], [r"  /w/hooks/a\nbottle: all is well"]);
    }

    #[test]
    fn a_list_says_where_all_of_it_is() {
        let changes = [change(Gravity::Top, "/w", "Makefile")];
        let lines = lines(&changes, Some(Path::new("/s/runs/1/changed.txt")));
        assert!(lines[0].ends_with(" (all in /s/runs/1/changed.txt):"), "{lines:?}");
    }

    #[test]
    fn up_to_a_hundred_files_are_all_named() {
        let changes: Vec<Change> = (0..NAMED).map(|n| change(Gravity::Git, "/w", &n.to_string())).collect();
        assert_eq!(lines(&changes, None).len(), 1 + NAMED);
    }

    #[test]
    fn decoys_of_one_gravity_hide_no_file_of_another_and_are_summed_up() {
        let many =
            |gravity, within: &str| (0..9000).map(|n| change(gravity, within, &n.to_string())).collect::<Vec<_>>();
        let mut changes = many(Gravity::Git, "/w/g");
        changes.push(change(Gravity::Top, "/w", "package.json"));
        changes.extend((0..9000).map(|n| change(Gravity::Deeper, &format!("/w/{n}"), "Makefile")));
        let lines = lines(&changes, None);
        assert!(lines.contains(&"  /w/package.json".to_owned()));
        assert_eq!(lines.len(), 1 + NAMED + SUMMED_UP + 1);
        assert!(lines.contains(&"  and 8967 files more in /w/g".to_owned()), "{lines:?}");
        assert!(lines[lines.len() - 1].contains("other directories"), "{lines:?}");
    }
}
