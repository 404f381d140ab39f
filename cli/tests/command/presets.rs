//! Does `bottle policy presets` show what `--preset` allows, in every verb that takes it?

use std::process::Command;

use crate::place::{Place, Said};

/// A place with a home in which npm has settings.
fn place(npmrc: &str) -> Place {
    let place = Place::new();
    place.write(".npmrc", npmrc);
    place
}

fn bottle(place: &Place, arguments: &[&str]) -> Said {
    Said::from(command(place, arguments).output().expect("the built command"))
}

/// Neither the machine's npm nor its settings count.
fn command(place: &Place, arguments: &[&str]) -> Command {
    std::fs::create_dir_all(place.path("project")).expect("a directory");
    let mut command = place.command(arguments);
    command.env("HOME", place.path("")).env("npm_config_globalconfig", "/dev/null").current_dir(place.path("project"));
    command
}

const CORP: &str = "registry=https://u:s3cret@registry.corp.example:8443/npm/\n";

#[test]
fn the_list_names_each_preset_with_what_it_is_for() {
    let said = Place::new().bottle(&["policy", "presets"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let names: Vec<_> = said.out.lines().map(|line| line.split(' ').next().unwrap_or_default()).collect();
    let expected = ["github", "gitlab", "anthropic", "openai", "google", "huggingface", "npm", "pip", "cargo", "apt"];
    assert_eq!(names, expected);
    let listed = Place::new().bottle(&["policy", "presets", "--json"]).json();
    assert_eq!((&listed[0]["name"], &listed[0]["generated"]), (&"github".into(), &false.into()));
    assert_eq!((&listed[6]["name"], &listed[6]["generated"]), (&"npm".into(), &true.into()));
}

#[test]
fn what_is_shown_is_a_policy_file_with_the_same_meaning() {
    let place = place(CORP);
    for name in ["github", "npm"] {
        let shown = bottle(&place, &["policy", "presets", name]);
        assert_eq!((shown.code, shown.err.as_str()), (0, ""));
        place.write("shown.yaml", &shown.out);
        let digest = |arguments: &[&str]| {
            let said = bottle(&place, &[&["policy", "show"], arguments].concat());
            said.out.lines().next().expect("a digest").to_owned()
        };
        let file = place.path("shown.yaml");
        assert_eq!(digest(&["--preset", name]), digest(&["--policy", file.to_str().expect("UTF-8")]));
        let as_json = bottle(&place, &["policy", "presets", name, "--json"]).json();
        assert_eq!(as_json["yaml"].as_str().map(str::trim_end), Some(shown.out.trim_end()));
        assert_eq!(digest(&["--preset", name]), format!("digest {}", as_json["digest"].as_str().expect("a digest")));
    }
}

#[test]
fn a_generated_preset_has_the_registry_and_where_it_is_from_and_no_password() {
    let shown = bottle(&place(CORP), &["policy", "presets", "npm"]);
    assert!(shown.out.contains("pattern: \"registry.corp.example\"\n    ports: [8443]"), "{}", shown.out);
    assert!(shown.out.contains(".npmrc:1\"") && !shown.out.contains("s3cret"), "{}", shown.out);
    let as_json = bottle(&place(CORP), &["policy", "presets", "npm", "--json"]);
    assert!(!as_json.out.contains("s3cret"), "{}", as_json.out);
}

#[test]
fn presets_unite_with_each_other_with_files_and_with_allow() {
    let place = place(CORP);
    place.write("p.yaml", "version: 1\ndomains:\n  - pattern: file.example\n    ports: [443]\n");
    let file = place.path("p.yaml");
    let policy =
        ["--preset", "npm", "--preset", "github", "--allow", "flag.example", "--policy", file.to_str().expect("UTF-8")];
    for (name, code) in [
        ("registry.corp.example:8443", 0),
        ("api.github.com", 0),
        ("flag.example", 0),
        ("file.example", 0),
        ("registry.corp.example", 1),
        ("registry.npmjs.org", 1),
    ] {
        assert_eq!(bottle(&place, &[&["why", name], &policy[..]].concat()).code, code, "{name}");
    }
    let why = bottle(&place, &["why", "api.github.com", "--preset", "github"]);
    assert!(why.out.contains("allowed by domains[2] at preset github:"), "{}", why.out);
}

#[test]
fn settings_that_are_not_understood_are_an_error_with_place_and_hint_and_nothing_runs() {
    let place = place("\nregistry = u:s3cret@registry.corp.example\n");
    for (arguments, code) in [
        (&["policy", "presets", "npm"][..], 2),
        (&["policy", "show", "--preset", "npm"], 2),
        (&["why", "registry.npmjs.org", "--preset", "npm"], 2),
        (&["run", "--preset", "npm", "host", "--", "true"], 125),
    ] {
        let said = bottle(&place, arguments);
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{arguments:?}");
        assert!(said.err.contains(".npmrc:2\n  because: this is no URL\nhint: "), "{}", said.err);
        assert!(!said.err.contains("s3cret"), "{}", said.err);
    }
}

#[test]
fn settings_that_the_command_does_not_see_are_named_with_the_option_that_shows_them() {
    let place = place(CORP);
    let file = place.path(".npmrc");
    let unseen = format!("which the command does not see: -v {0}:{0}:ro shows it", file.display());
    let run = bottle(&place, &["run", "--preset", "npm", "host", "--", "true"]);
    assert!(run.code == 0 && run.err.contains(&unseen), "{}", run.err);
    let volume = format!("{0}:{0}:ro", file.display());
    let run = bottle(&place, &["run", "--preset", "npm", "-v", &volume, "host", "--", "true"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
}

#[test]
fn an_unknown_preset_is_misuse_and_the_answer_lists_those_that_there_are() {
    for (arguments, code) in [
        (&["policy", "presets", "githu"][..], 2),
        (&["why", "a.example", "--preset", "githu"], 2),
        (&["run", "--preset", "githu", "host", "true"], 125),
    ] {
        let said = Place::new().bottle(arguments);
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{arguments:?}");
        assert!(said.err.contains("huggingface") && said.err.contains("'github'"), "{}", said.err);
    }
}

#[test]
fn observe_excludes_presets() {
    let place = Place::new();
    for observe in [&["--allow-all"][..], &["--mode", "observe"]] {
        let said = place.bottle(&[&["why", "a.example", "--preset", "github"], observe].concat());
        assert_eq!(said.code, 2, "{}", said.err);
    }
}
