//! Is what the documents say about the tree true?

use std::fs;
use std::path::{Path, PathBuf};

fn tree() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the tree").to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(tree().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All promises that there are.
const IDS: [(char, u8); 12] = [
    ('A', 8),
    ('E', 12),
    ('W', 8),
    ('F', 9),
    ('P', 9),
    ('B', 12),
    ('N', 6),
    ('K', 2),
    ('I', 10),
    ('L', 6),
    ('V', 3),
    ('G', 27),
];

/// `| A1 | promise | proof |` rows.
fn claims() -> Vec<(String, String)> {
    let text = read("docs/claims.md");
    let rows =
        text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| id") && !line.starts_with("|--"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 3, "not three cells: {row}");
        (cells[0].to_owned(), cells[2].to_owned())
    })
    .collect()
}

#[test]
fn each_promise_has_one_row_of_claims() {
    let ids: Vec<String> = claims().into_iter().map(|(id, _)| id).collect();
    let expected: Vec<String> =
        IDS.iter().flat_map(|(letter, last)| (1..=*last).map(move |number| format!("{letter}{number}"))).collect();
    assert_eq!(ids, expected);
}

#[test]
fn each_claim_names_a_test_that_exists_or_says_pending() {
    for (id, proof) in claims() {
        let named: Vec<&str> = proof.split('`').skip(1).step_by(2).filter(|text| text.contains(".rs: ")).collect();
        assert!(!named.is_empty() || proof.contains("pending"), "{id} names no test and is not pending");
        for reference in named {
            let (file, test) = reference.split_once(": ").expect("filtered");
            assert!(has_test(&read(file), test), "{id}: {file} has no test {test}");
        }
    }
}

/// Whether a source has a test of this very name.
fn has_test(source: &str, name: &str) -> bool {
    has_test_function(source, name) || is_in_a_list(source, name) || is_made_by_a_macro(source, name)
}

/// A function under an attribute that makes it a test.
fn has_test_function(source: &str, name: &str) -> bool {
    let mut is_test = false;
    source.lines().map(str::trim_start).any(|line| {
        let function = line.trim_start_matches("async ").strip_prefix("fn ").and_then(|rest| rest.split('(').next());
        if is_test && function == Some(name) {
            return true;
        }
        let begins = line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        is_test = begins || is_test && (line.starts_with("#[") || line.starts_with("//"));
        false
    })
}

/// A row of a list from which a harness of our own runs each in a process.
fn is_in_a_list(source: &str, name: &str) -> bool {
    let lists = ["&[Test] =", "&[Claim] ="].into_iter().flat_map(|kind| source.split(kind).skip(1));
    lists.filter_map(|list| list.split("\n];").next()).any(|list| list.contains(&format!("(\"{name}\",")))
}

/// A word that is given to a macro which makes a test of each.
fn is_made_by_a_macro(source: &str, name: &str) -> bool {
    let calls = source.split("\nsearched! {").skip(1).filter_map(|rest| rest.split('}').next());
    calls.flat_map(str::split_whitespace).any(|word| word == name)
}

#[test]
fn a_helper_a_keyword_and_a_part_of_a_name_are_no_tests() {
    let source = "mod host;\nfn helper() {\n    search();\n}\n\n#[test]\n// Why.\nfn it_holds_and_stays() {\n    helper();\n}\n\
                  pub const TESTS: &[Test] = &[\n    (\"listed\", helper),\n];\nsearched! {\n    one two\n}\n";
    for test in ["it_holds_and_stays", "listed", "one", "two"] {
        assert!(has_test(source, test), "{test}");
    }
    for other in ["mod", "helper", "search", "it_holds", "stays", "list", "tw"] {
        assert!(!has_test(source, other), "{other}");
    }
}

/// What a link calls the headings of a document.
fn headings(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("a document");
    let named = |line: &str| {
        let kept = |letter: &char| letter.is_alphanumeric() || ['-', '_', ' '].contains(letter);
        line.trim_start_matches('#').trim().to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
    };
    text.lines().filter(|line| line.starts_with('#')).map(named).collect()
}

#[test]
fn links_lead_to_files_and_headings() {
    for document in [
        "README.md",
        "ARCHITECTURE.md",
        "SECURITY.md",
        "CONTRIBUTING.md",
        "docs/claims.md",
        "docs/confinement.md",
        "docs/policy.md",
    ] {
        let text = read(document);
        let place = tree().join(document);
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.starts_with("http")) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = place.parent().expect("a file has a directory").join(file);
            assert!(path.exists(), "{document} links to {target}");
            assert!(
                heading.is_empty() || headings(&path).contains(&heading.to_owned()),
                "{document} links to {target}"
            );
        }
    }
}

#[test]
fn the_architecture_lists_every_folder_with_a_crate() {
    let (manifest, text) = (read("Cargo.toml"), read("ARCHITECTURE.md"));
    let members = manifest.split("members = [").nth(1).and_then(|rest| rest.split(']').next()).expect("members");
    for member in members.split('"').skip(1).step_by(2) {
        assert!(text.contains(&format!("| `{member}/`")), "ARCHITECTURE.md does not list {member}/");
    }
}

#[test]
fn the_readme_fits_on_one_screen() {
    assert!(read("README.md").lines().count() <= 70);
}

#[test]
fn every_module_says_first_what_it_is_for() {
    for file in sources(&tree()) {
        let text = fs::read_to_string(&file).expect("a source file");
        let compiled_to_fail = file.components().any(|part| part.as_os_str() == "must-not-compile");
        assert!(text.starts_with("//!") || compiled_to_fail, "{} does not begin with //!", file.display());
    }
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(sources(&path));
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
    found
}
