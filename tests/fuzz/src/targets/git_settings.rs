//! Does anything in git's settings hide what they name, and is what was named the same when it is written again?

use bottle_images::settings::{Named, read as settings};

use super::Reading;

pub(super) fn read(bytes: &[u8]) -> Reading {
    let named = settings(bytes);
    assert_eq!(settings(written(&named).as_bytes()), named, "not the same when it is written again");
    let followed = [bytes, b"\n\n[core]\nhooksPath = y\n"].concat();
    assert_eq!(settings(&followed).hooks.last().map(String::as_str), Some("y"), "what comes before hides it");
    (named != Named::default()).into()
}

fn written(named: &Named) -> String {
    let Named { hooks, settings, work_trees } = named;
    let lines = |key, values: &[String]| values.iter().map(|value| line(key, value)).collect::<String>();
    let [hooks, work_trees] = [lines("hooksPath", hooks), lines("worktree", work_trees)];
    format!("[core]\n{hooks}{work_trees}[include]\n{}", lines("path", settings))
}

/// As git writes a value that needs to be quoted.
fn line(key: &str, value: &str) -> String {
    let escaped = value.chars().map(|character| match character {
        '"' | '\\' => format!("\\{character}"),
        '\n' => "\\n".to_owned(),
        other => other.to_string(),
    });
    format!("\t{key} = \"{}\"\n", escaped.collect::<String>())
}
