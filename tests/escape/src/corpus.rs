//! Which cases are data? One file a section, each case a few `Step`s, embedded in the program.

use serde::Deserialize;

use crate::attempt::Severity;
use crate::steps::Step;

/// Each section's file, by name. A file that is not listed here fails a test.
const FILES: &[(&str, &str)] = &[
    ("connect", include_str!("../corpus/connect.json")),
    ("daemons", include_str!("../corpus/daemons.json")),
    ("dns", include_str!("../corpus/dns.json")),
    ("hello", include_str!("../corpus/hello.json")),
    ("http", include_str!("../corpus/http.json")),
    ("literals", include_str!("../corpus/literals.json")),
    ("names", include_str!("../corpus/names.json")),
    ("proxy", include_str!("../corpus/proxy.json")),
    ("rebind", include_str!("../corpus/rebind.json")),
    ("sni", include_str!("../corpus/sni.json")),
];

/// One file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    /// What its cases have in common.
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers, and the test that it is there"))]
    pub(crate) about: String,
    pub(crate) cases: Vec<Case>,
}

/// One case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) severity: Severity,
    pub(crate) surface: String,
    pub(crate) why: String,
    /// Why it does not get out of an open sandbox either; absent where it does.
    pub(crate) contained_everywhere: Option<String>,
    pub(crate) steps: Vec<Step>,
}

/// All sections, by name.
///
/// # Panics
/// Where a file is not as it must be: the program is then of no use, and its tests say so first.
pub(crate) fn sections() -> Vec<(&'static str, Section)> {
    let read = |(name, text): &(&'static str, &str)| {
        (*name, serde_json::from_str(text).unwrap_or_else(|error| panic!("corpus/{name}.json: {error}")))
    };
    FILES.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hello, text};

    #[test]
    fn each_file_of_the_folder_is_a_section_with_cases() {
        let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus")).unwrap();
        let mut files: Vec<String> = folder.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        let listed: Vec<String> = FILES.iter().map(|(name, _)| format!("{name}.json")).collect();
        assert_eq!(files, listed);
        for (name, section) in sections() {
            assert!(!section.cases.is_empty(), "{name} is empty");
            assert!(section.about.len() > 10, "{name} says nothing about itself");
        }
    }

    #[test]
    fn each_case_has_steps_that_can_be_made_and_says_why() {
        for (name, section) in sections() {
            for case in section.cases {
                assert!(!case.steps.is_empty() && case.why.ends_with('.'), "{name}/{}", case.id);
                assert!(case.contained_everywhere.is_none_or(|why| why.len() > 10), "{name}/{}", case.id);
                assert!(format!("{:?}", case.steps).contains('{'), "{name}/{} carries no token", case.id);
                for step in &case.steps {
                    check(step, &case.id);
                }
            }
        }
    }

    fn check(step: &Step, id: &str) {
        match step {
            Step::Resolve(text) | Step::Connect(text) | Step::Unix(text) => braces(text, id),
            Step::Proxy(text) | Step::Send(text) | Step::Datagram(_, text) | Step::UnixDatagram(_, text) => {
                assert!(text::bytes(text).is_some(), "{id}: {text:?}");
                braces(text, id);
            }
            Step::Hello(described) => assert!(hello::readable(described), "{id}"),
            Step::Query(query) => {
                query.texts().for_each(|text| {
                    assert!(text::bytes(text).is_some(), "{id}: {text:?}");
                    braces(text, id);
                });
            }
            Step::Receive(milliseconds) | Step::Wait(milliseconds) => {
                assert!(*milliseconds <= 3000, "{id} waits too long");
            }
            Step::Shut => {}
        }
    }

    fn braces(text: &str, id: &str) {
        for part in text.split('{').skip(1) {
            let name = part.split('}').next().unwrap();
            let known = text::NAMES.contains(&name) || text::repeated(name).is_some();
            assert!(known, "{id}: nothing is called {{{name}}}");
        }
    }
}
