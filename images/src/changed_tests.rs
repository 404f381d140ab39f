//! Is what the host would execute listed when a run has changed it, and nothing else?

use super::*;

fn tree(files: &[&str]) -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    for file in files {
        let path = tree.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "x").unwrap();
    }
    tree
}

fn changed(tree: &tempfile::TempDir, act: impl FnOnce(&Path)) -> Vec<String> {
    let trees = [tree.path().to_owned()];
    let before = Snapshot::take(&trees, Path::new("/home/nobody"));
    act(tree.path());
    let changed = Snapshot::take(&trees, Path::new("/home/nobody")).changed_since(&before);
    changed.iter().map(|change| change.path.strip_prefix(tree.path()).unwrap().display().to_string()).collect()
}

/// The same by name, whatever is graver.
fn changed_by_name(tree: &tempfile::TempDir, act: impl FnOnce(&Path)) -> Vec<String> {
    let mut changed = changed(tree, act);
    changed.sort();
    changed
}

#[test]
fn what_the_host_would_execute_is_listed_when_made_changed_or_removed() {
    let tree = tree(&["Makefile", "a/package.json", "src/main.rs"]);
    let listed = changed_by_name(&tree, |top| {
        std::fs::remove_file(top.join("Makefile")).unwrap();
        std::fs::write(top.join("a/package.json"), "longer").unwrap();
        std::fs::write(top.join("src/main.rs"), "longer").unwrap();
        std::fs::write(top.join("build.rs"), "x").unwrap();
    });
    assert_eq!(listed, ["Makefile", "a/package.json", "build.rs"]);
}

#[test]
fn settings_and_hooks_of_nested_repositories_are_listed() {
    let tree = tree(&["sub/.git/config"]);
    let listed = changed_by_name(&tree, |top| {
        std::fs::create_dir_all(top.join("sub/.git/hooks")).unwrap();
        std::fs::write(top.join("sub/.git/hooks/post-checkout"), "x").unwrap();
        std::fs::write(top.join("sub/.git/hooks/post-checkout.sample"), "x").unwrap();
        std::fs::write(top.join("sub/.git/commondir"), "../evil").unwrap();
        std::fs::write(top.join("sub/.git/config"), "[core]").unwrap();
    });
    assert_eq!(listed, ["sub/.git/commondir", "sub/.git/config", "sub/.git/hooks/post-checkout"]);
}

#[test]
fn whatever_git_would_take_for_a_repository_is_listed_under_any_name_and_anywhere() {
    let tree =
        tree(&["old.git/HEAD", "old.git/config", "app/config", "app/hooks/use.js", "node_modules/a/package.json"]);
    let write = |path: PathBuf, text: &str| {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let listed = changed_by_name(&tree, |top| {
        write(top.join("old.git/config"), "[core]");
        write(top.join("old.git/hooks/update"), "#!");
        write(top.join("HEAD"), "ref: x");
        write(top.join("config"), "[core]");
        write(top.join("sub/.git"), "gitdir: ../data");
        write(top.join("data/HEAD"), "ref: x");
        write(top.join("data/config"), "[core]");
        write(top.join("node_modules/b/.git/config"), "[core]");
        write(top.join("node_modules/b/package.json"), "{}");
        write(top.join("app/config"), "changed");
        std::os::unix::fs::symlink("data", top.join(".git")).unwrap();
    });
    let expected = [
        ".git",
        "config",
        "data/config",
        "node_modules/b/.git/config",
        "old.git/config",
        "old.git/hooks/update",
        "sub/.git",
    ];
    assert_eq!(listed, expected);
}

#[test]
fn a_new_repository_and_what_links_in_it_lead_to_is_listed() {
    let tree = tree(&["evil/post-index-change", "old/.git/HEAD", "old/.git/objects/x", "old/.git/refs/x"]);
    std::os::unix::fs::symlink("../../evil", tree.path().join("old/.git/hooks")).unwrap();
    let listed = changed_by_name(&tree, |top| {
        for directory in ["objects", "refs", "logs"] {
            std::fs::create_dir_all(top.join("new/.git").join(directory)).unwrap();
        }
        std::fs::write(top.join("new/.git/HEAD"), "ref: x").unwrap();
        std::os::unix::fs::symlink("../../evil", top.join("new/.git/hooks")).unwrap();
        std::os::unix::fs::symlink("/x", top.join("new/.git/logs/HEAD")).unwrap();
        std::fs::write(top.join("evil/post-index-change"), "longer").unwrap();
    });
    let expected = [
        "new/.git",
        "new/.git/hooks",
        "new/.git/hooks/post-index-change",
        "new/.git/logs/HEAD",
        "old/.git/hooks/post-index-change",
    ];
    assert_eq!(listed, expected);
}

#[test]
fn what_settings_name_through_links_or_from_outside_of_the_tree_is_listed() {
    let top = tree(&["real/hook", "shared.cfg", "pkg/scripts/hook", "pkg/more/x"]);
    for (git, config) in [
        (".git", "[core]\n\thooksPath = pkg/scripts\n"),
        ("pkg/sub/.git", "[core]\n\thooksPath = ../hk\n[include]\n\tpath = ../../cfg\n"),
    ] {
        for name in ["HEAD", "objects/x", "refs/x", "config"] {
            let path = top.path().join(git).join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, config).unwrap();
        }
    }
    std::os::unix::fs::symlink("more", top.path().join("pkg/hk")).unwrap();
    std::os::unix::fs::symlink("more/settings", top.path().join("pkg/cfg")).unwrap();
    std::fs::write(top.path().join("pkg/more/settings"), "").unwrap();
    let trees = [top.path().join("pkg").canonicalize().unwrap()];
    let take = || Snapshot::take(&trees, Path::new("/home/nobody"));
    let before = take();
    for name in ["scripts/hook", "more/x", "more/settings"] {
        std::fs::write(trees[0].join(name), "longer").unwrap();
    }
    let listed = take().changed_since(&before);
    let mut listed: Vec<&Path> = listed.iter().map(|change| change.path.strip_prefix(&trees[0]).unwrap()).collect();
    listed.sort();
    assert_eq!(listed, ["cfg", "hk/settings", "hk/x", "scripts/hook"].map(Path::new));
}

#[test]
fn a_link_whose_target_changes_is_listed() {
    let tree = tree(&["settings", "sub/.git/HEAD"]);
    std::os::unix::fs::symlink("../../settings", tree.path().join("sub/.git/config")).unwrap();
    assert_eq!(changed(&tree, |top| std::fs::write(top.join("settings"), "[core]").unwrap()), ["sub/.git/config"]);
}

#[test]
fn what_keeps_settings_from_being_made_is_not_listed_until_it_says_something() {
    let tree = tree(&[".git/HEAD"]);
    let make = |top: &Path, common: &str| std::fs::write(top.join(".git/commondir"), common).unwrap();
    assert_eq!(changed(&tree, |top| make(top, ".\n")), Vec::<String>::new());
    assert_eq!(changed(&tree, |top| make(top, "x\n")), [".git", ".git/commondir"]);
}

#[test]
fn what_lies_too_deep_is_named_and_hides_nothing_else() {
    let tree = tree(&["a/Makefile", "z/Makefile"]);
    let deep = "n".repeat(250);
    let mut at = std::fs::File::open(tree.path()).unwrap().into();
    for _ in 0..18 {
        rustix::fs::mkdirat(&at, deep.as_str(), 0o700.into()).unwrap();
        at = rustix::fs::openat(&at, deep.as_str(), rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).unwrap();
    }
    let listed = changed_by_name(&tree, |top| {
        for name in ["a", "z"] {
            std::fs::write(top.join(name).join("Makefile"), "longer").unwrap();
        }
    });
    assert_eq!(listed, ["a/Makefile", "z/Makefile"]);
    let unseen = Snapshot::take(&[tree.path().to_owned()], Path::new("/home/nobody"));
    assert!(unseen.unseen().is_some_and(|why| why.contains(&deep)), "{:?}", unseen.unseen());
}

#[test]
fn the_same_length_and_a_time_set_back_do_not_hide_a_change() {
    let tree = tree(&["Makefile"]);
    let listed = changed_by_name(&tree, |top| {
        let old = std::fs::metadata(top.join("Makefile")).unwrap().modified().unwrap();
        std::fs::write(top.join("Makefile"), "y").unwrap();
        let file = std::fs::File::options().write(true).open(top.join("Makefile")).unwrap();
        file.set_modified(old).unwrap();
    });
    assert_eq!(listed, ["Makefile"]);
}

fn write(path: PathBuf, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Repositories whose settings and hooks are in `data`, by what makes them.
const SHARING: [&[(&str, &str)]; 3] = [
    &[("sub/.git/HEAD", "ref: refs/heads/x\n"), ("sub/.git/commondir", "../../data\n")],
    &[
        ("sub/.git", "gitdir: ../x\n"),
        ("x/HEAD", "ref: refs/heads/x\n"),
        ("x/commondir", "../deep/link/../../data\n"),
        ("deep/er/x", ""),
    ],
    &[("any/HEAD", "ref: refs/heads/x\n"), ("any/commondir", "../data\n")],
];

#[test]
fn settings_and_hooks_that_repositories_share_are_listed_when_they_are_made_and_with_the_repository() {
    for files in SHARING {
        for before in [true, false] {
            let top = tree(&["data/objects/x", "data/refs/x"]);
            let repository = |top: &Path| {
                files.iter().for_each(|(name, text)| write(top.join(name), text));
                if top.join("deep").exists() {
                    std::os::unix::fs::symlink("er", top.join("deep/link")).unwrap();
                }
            };
            if before {
                repository(top.path());
            }
            let listed = changed_by_name(&top, |top| {
                if !before {
                    repository(top);
                }
                write(top.join("data/config"), "[core]\n\tfsmonitor = x\n");
                write(top.join("data/hooks/post-index-change"), "x");
            });
            for name in ["data/config", "data/hooks/post-index-change"] {
                assert!(listed.contains(&name.to_owned()), "{name} of {files:?}: {listed:?}");
            }
        }
    }
}

#[test]
fn files_behind_links_that_stand_for_directories_of_tools_are_listed_by_the_names_that_tools_use() {
    let top = tree(&["real/tasks.json", "conf/x", "w/x", "deep/x"]);
    let link = |to: &str, from: &str| std::os::unix::fs::symlink(to, top.path().join(from)).unwrap();
    link("real", ".vscode");
    link("../deep", "real/more");
    let listed = changed_by_name(&top, |path| {
        write(path.join("real/tasks.json"), "longer");
        write(path.join("deep/x"), "longer");
        write(path.join("conf/config.toml"), "x");
        link("conf", ".cargo");
        std::fs::create_dir(path.join(".github")).unwrap();
        link("../w", ".github/workflows");
        write(path.join("w/ci.yml"), "x");
        link(".vscode", "loop");
        link("..", ".github/loop");
    });
    let expected = [
        ".cargo",
        ".cargo/config.toml",
        ".cargo/x",
        ".github/loop",
        ".github/workflows",
        ".github/workflows/ci.yml",
        ".vscode/more/x",
        ".vscode/tasks.json",
    ];
    for name in expected {
        assert!(listed.contains(&name.to_owned()), "{name}: {listed:?}");
    }
}

#[test]
fn a_tree_that_is_one_file_is_listed() {
    let top = tree(&["Makefile", "notes"]);
    for (name, expected) in [("Makefile", 1), ("notes", 0)] {
        let trees = [top.path().join(name)];
        let before = Snapshot::take(&trees, Path::new("/home/nobody"));
        std::fs::write(&trees[0], "longer").unwrap();
        let listed = Snapshot::take(&trees, Path::new("/home/nobody")).changed_since(&before);
        assert_eq!(listed.len(), expected, "{listed:?}");
    }
}

#[test]
fn a_tree_within_a_directory_of_such_files_is_listed() {
    let top = tree(&[".github/workflows/ci.yml"]);
    let trees = [top.path().join(".github/workflows")];
    let before = Snapshot::take(&trees, Path::new("/home/nobody"));
    std::fs::write(trees[0].join("ci.yml"), "longer").unwrap();
    let listed = Snapshot::take(&trees, Path::new("/home/nobody")).changed_since(&before);
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0].path, listed[0].gravity), (&trees[0].join("ci.yml"), Gravity::Top));
}

#[test]
fn what_is_graver_comes_first_and_what_was_there_before_new_files() {
    let top = tree(&["package.json", "z/Makefile", "sub/.git/config"]);
    let listed = changed(&top, |top| {
        for name in ["!/Makefile", "0.mk", ".github/x", "z/Makefile", "package.json", "sub/.git/config"] {
            write(top.join(name), "longer");
        }
    });
    assert_eq!(listed, ["sub/.git/config", "package.json", "0.mk", ".github/x", "z/Makefile", "!/Makefile"]);
}

#[test]
fn many_new_files_of_one_gravity_keep_none_of_another_from_being_noted() {
    let top = tree(&["package.json"]);
    (0..=MOST).for_each(|number| write(top.path().join(format!("!/{number}.mk")), ""));
    let listed = changed(&top, |top| write(top.join("package.json"), "longer"));
    assert_eq!(listed, ["package.json"]);
}
