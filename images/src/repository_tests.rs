//! Is everything closed that tells the host's git what to execute, and nothing else?

use super::*;

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    for (file, text) in files {
        let path = tree.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    tree
}

fn pinned(tree: &tempfile::TempDir, nested: &[&str]) -> Vec<String> {
    let top = tree.path().canonicalize().unwrap();
    let mut repositories = Repositories::of(&top, &top.join("home"));
    nested.iter().for_each(|git| repositories.add_nested(&top.join(git)));
    let pins = repositories.pins();
    pins.iter().map(|(path, _)| path.strip_prefix(&top).unwrap().display().to_string()).collect()
}

#[test]
fn a_nested_repository_is_pinned_like_the_top_one() {
    let tree = tree(&[("sub/.git/config", "")]);
    let expected = ["sub", "sub/.git", "sub/.git/commondir", "sub/.git/config", "sub/.git/hooks"];
    assert_eq!(pinned(&tree, &["sub/.git"]), expected);
}

#[test]
fn the_directory_that_a_nested_repository_s_hooks_are_a_link_to_is_pinned() {
    let tree = tree(&[("sub/.git/config", ""), ("sub/scripts/pre-commit", "")]);
    std::os::unix::fs::symlink("../scripts", tree.path().join("sub/.git/hooks")).unwrap();
    let pins = pinned(&tree, &["sub/.git"]);
    assert!(pins.contains(&"sub/scripts".to_owned()) && !pins.contains(&"sub/.git/hooks".to_owned()), "{pins:?}");
}

#[test]
fn a_repository_of_any_name_is_pinned_if_git_would_take_it_for_one() {
    let bare = |at: &str| ["HEAD", "config", "objects/x", "refs/x"].map(|name| format!("{at}{name}"));
    let files = [bare(""), bare("r.git/")].concat();
    let tree = tree(&files.iter().map(|name| (name.as_str(), "")).collect::<Vec<_>>());
    let top = tree.path().canonicalize().unwrap();
    let mut repositories = Repositories::of(&top, &top.join("home"));
    for directory in ["", "r.git", "r.git/refs"] {
        repositories.add_bare(&top.join(directory));
    }
    let pins = repositories.pins();
    let pins: Vec<&Path> = pins.iter().map(|(path, _)| path.strip_prefix(&top).unwrap()).collect();
    let expected = ["commondir", "config", "hooks", "r.git", "r.git/commondir", "r.git/config", "r.git/hooks"];
    assert_eq!(pins, expected.map(Path::new));
}

#[test]
fn each_directory_above_a_pin_is_pinned_up_to_the_tree() {
    let config = "[core]\n\thooksPath = tools/git/hooks\n";
    let tree = tree(&[(".git/config", config), ("tools/git/hooks/pre-commit", ""), ("a/b/.git/config", "")]);
    let pins = pinned(&tree, &["a/b/.git"]);
    for path in ["a", "a/b", "tools", "tools/git", "tools/git/hooks"] {
        assert!(pins.iter().any(|pin| pin == path), "{path}: {pins:?}");
    }
    assert!(!pins.contains(&String::new()), "{pins:?}");
}

#[test]
fn submodules_and_work_trees_are_pinned_whatever_their_names() {
    let tree = tree(&[
        (".git/config", ""),
        (".git/modules/a/b/HEAD", ""),
        (".git/modules/a/b/config", ""),
        (".git/worktrees/w/HEAD", ""),
        (".git/worktrees/w/gitdir", ""),
        (".git/worktrees/w/commondir", "../.."),
    ]);
    let pins = pinned(&tree, &[]);
    for path in ["modules/a/b", "modules/a/b/config", "modules/a/b/hooks", "worktrees/w/commondir"] {
        assert!(pins.contains(&format!(".git/{path}")), "{path}: {pins:?}");
    }
}

#[test]
fn hooks_elsewhere_in_the_tree_are_pinned_and_those_outside_of_it_not() {
    for (config, expected) in [
        ("[core]\n\thooksPath = .husky\n", Some(".husky")),
        ("[core] HooksPath = \"./.husky/\"\n", Some(".husky")),
        ("[include]\n\tpath = ../settings\n", Some("settings")),
        ("[core]\n\thooksPath = ..\n", None),
        ("[core]\n\thooksPath = /etc\n", None),
        ("[core]\n\thooksPath = missing\n", Some("missing")),
        ("[core]\n\thooksPath = ~/../.husky\n", Some(".husky")),
        ("[alias]\n\thooksPath = .husky\n", None),
    ] {
        let tree = tree(&[(".git/config", config), (".husky/pre-commit", ""), ("settings", "")]);
        let pins = pinned(&tree, &[]);
        let others: Vec<&str> = pins.iter().map(String::as_str).filter(|path| !path.starts_with(".git")).collect();
        assert_eq!(others, expected.into_iter().collect::<Vec<_>>(), "{config}");
    }
}

#[test]
fn hooks_of_a_submodule_are_pinned_in_its_work_tree() {
    let config = "[core]\n\thooksPath = .husky\n";
    let module = format!("{config}\tworktree = ../../../sub\n");
    let tree = tree(&[
        (".git/config", ""),
        (".git/modules/sub/HEAD", ""),
        (".git/modules/sub/config", &module),
        ("sub/.husky/pre-commit", ""),
        (".git/modules/other/HEAD", ""),
        (".git/modules/other/config", config),
        ("other/.git", "gitdir: ../.git/modules/other\n"),
        ("other/.husky/pre-commit", ""),
    ]);
    let pins = pinned(&tree, &["other/.git"]);
    for path in ["sub", "sub/.husky", "other", "other/.git", "other/.husky"] {
        assert!(pins.iter().any(|pin| pin == path), "{path}: {pins:?}");
    }
}

#[test]
fn hooks_are_found_by_way_of_included_settings_a_work_trees_and_the_callers_own() {
    let named = |path: &str| format!("[core]\n\thooksPath = {path}\n");
    let tree = tree(&[
        (".git/config", "[include]\n\tpath = ../one\n[extensions]\n\tworktreeConfig\n"),
        (".git/config.worktree", &named("by-work-tree")),
        ("one", "[include]\n\tpath = two\n[include]\n\tpath = one\n[include]\n\tpath = later/three\n"),
        ("two", &named("by-inclusion")),
        ("home/.gitconfig", &named("by-home")),
    ]);
    for path in ["by-work-tree", "by-inclusion", "by-home"] {
        std::fs::create_dir(tree.path().join(path)).unwrap();
    }
    let pins = pinned(&tree, &[]);
    let others: Vec<&str> = pins.iter().map(String::as_str).filter(|path| !path.starts_with(".git")).collect();
    assert_eq!(others, ["by-home", "by-inclusion", "by-work-tree", "later", "one", "two"]);
}

#[test]
fn what_would_keep_the_reader_waiting_is_not_read() {
    let tree = tree(&[(".git/HEAD", "")]);
    let fifo = tree.path().join(".git/config");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert_eq!(pinned(&tree, &[]), [".git", ".git/commondir", ".git/config.worktree", ".git/hooks"]);
}

#[test]
fn repositories_beyond_the_limit_are_left_to_the_list_at_the_end() {
    let names: Vec<String> = (0..2 * MOST).map(|number| format!("{number:03}/.git")).collect();
    let tree = tree(&names.iter().map(|name| (name.as_str(), "gitdir: elsewhere")).collect::<Vec<_>>());
    let pins = pinned(&tree, &names.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(pins.iter().filter(|pin| pin.ends_with(".git")).count(), MOST);
}

#[test]
fn that_there_are_more_repositories_than_are_closed_is_known() {
    for (count, short) in [(MOST, false), (MOST + 1, true)] {
        let names: Vec<String> = (0..count).map(|number| format!("{number:03}/.git")).collect();
        let tree = tree(&names.iter().map(|name| (name.as_str(), "gitdir: elsewhere")).collect::<Vec<_>>());
        let top = tree.path().canonicalize().unwrap();
        let mut repositories = Repositories::of(&top, &top.join("home"));
        names.iter().for_each(|git| repositories.add_nested(&top.join(git)));
        assert_eq!(repositories.is_short(), short, "{count}");
    }
}

#[test]
fn a_repository_whose_settings_name_its_work_tree_gets_no_commondir_and_keeps_its_own() {
    let config = "[core]\n\tworktree = ../elsewhere\n";
    assert!(!pinned(&tree(&[(".git/config", config)]), &[]).contains(&".git/commondir".to_owned()));
    let tree = tree(&[(".git/config", config), (".git/commondir", ".\n")]);
    assert!(pinned(&tree, &[]).contains(&".git/commondir".to_owned()));
}

#[test]
fn what_the_repository_around_the_tree_names_in_it_is_pinned_and_what_a_link_leads_to_too() {
    let tree = tree(&[
        (".git/config", "[core]\n\thooksPath = pkg/scripts\n"),
        ("pkg/scripts/hook", ""),
        ("pkg/sub/.git/config", "[core]\n\thooksPath = ../hk\n"),
        ("pkg/real/hook", ""),
    ]);
    std::os::unix::fs::symlink("real", tree.path().join("pkg/hk")).unwrap();
    let top = tree.path().canonicalize().unwrap().join("pkg");
    let mut repositories = Repositories::of(&top, &top.join("home"));
    repositories.add_nested(&top.join("sub/.git"));
    let pins = repositories.pins();
    for name in ["scripts", "real"] {
        assert!(pins.iter().any(|(path, _)| *path == top.join(name)), "{name}: {pins:?}");
    }
}

#[test]
fn a_repository_behind_a_link_is_noticed() {
    let tree = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("real", tree.path().join(".git")).unwrap();
    assert_eq!(has_linked_repository(tree.path()), Some(tree.path().join(".git")));
}

#[test]
fn what_a_repository_shares_with_others_is_pinned_where_its_commondir_says() {
    for files in [
        vec![("sub/.git/HEAD", ""), ("sub/.git/commondir", "../../data\n")],
        vec![("sub/.git", "gitdir: ../x\n"), ("x/HEAD", ""), ("x/commondir", "../data\n")],
        vec![("any/HEAD", ""), ("any/commondir", "../data")],
    ] {
        let tree = tree(&[&files[..], &[("data/objects/x", ""), ("data/refs/x", "")]].concat());
        let top = tree.path().canonicalize().unwrap();
        let mut repositories = Repositories::of(&top, &top.join("home"));
        repositories.add_nested(&top.join("sub/.git"));
        ["x", "any"].iter().for_each(|name| repositories.add_bare(&top.join(name)));
        let pins = repositories.pins();
        let commondir = files[files.len() - 1].0;
        for name in ["data", "data/config", "data/hooks", commondir] {
            assert!(pins.iter().any(|(path, _)| *path == top.join(name)), "{name} of {files:?}: {pins:?}");
        }
    }
}

#[test]
fn settings_of_a_further_work_tree_that_are_obeyed_and_nobody_has_made_are_pinned() {
    let tree = tree(&[
        (".git/HEAD", ""),
        (".git/config", "[extensions]\n\tworktreeConfig = true\n"),
        (".git/worktrees/w/HEAD", ""),
        (".git/worktrees/w/commondir", "../..\n"),
        (".git/worktrees/w/gitdir", "x\n"),
    ]);
    let pins = pinned(&tree, &[]);
    assert!(pins.contains(&".git/worktrees/w/config.worktree".to_owned()), "{pins:?}");
    assert!(!pins.contains(&".git/worktrees/w/hooks".to_owned()), "{pins:?}");
}
