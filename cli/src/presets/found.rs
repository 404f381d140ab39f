//! What is a generated preset? What a client's settings lead to, written as the policy that one would write by hand.

use std::fmt::Write as _;
use std::path::PathBuf;

use bottle_policy::Host;
use bottle_policy::rules::Protocol;

use super::settings::Origin;
use super::url::Place;

/// What a client's settings lead to.
#[derive(Debug, Default)]
pub struct Found {
    /// Destinations.
    pub reaches: Vec<Reach>,
    /// Files that decided, or would if they were there: settings, and programs by which settings are found.
    pub deciding: Vec<PathBuf>,
    /// Where what is reached is named.
    pub made_of: Vec<Origin>,
    /// What the person should know who relies on this.
    pub notes: Vec<String>,
}

/// One destination and why.
#[derive(Debug)]
pub struct Reach {
    pub place: Place,
    /// Whether it may have a private address: the user's own settings name it, so it may be the company's.
    pub private: bool,
    pub reason: String,
}

impl Found {
    /// The policy. Each destination once, with its first reason.
    pub fn yaml(&self, about: &str) -> String {
        let mut domains = String::new();
        let mut ranges = String::new();
        let mut written: Vec<&Place> = Vec::new();
        for Reach { place, private, reason } in &self.reaches {
            if written.contains(&place) {
                continue;
            }
            written.push(place);
            match place.host {
                Host::Name(_) => domain(&mut domains, place, *private, reason),
                Host::Address(address) => {
                    entry(&mut ranges, "cidr", &address.to_string(), place.port, reason);
                }
            }
        }
        let list = |name: &str, entries: String| match entries.as_str() {
            "" => String::new(),
            entries => format!("{name}:\n{entries}"),
        };
        format!("# {about}\n{}version: 1\n{}{}", self.comments(), list("domains", domains), list("ip_ranges", ranges))
    }

    fn comments(&self) -> String {
        self.notes.iter().map(|note| comment(note)).collect()
    }
}

/// One line, whatever a path has in it.
fn comment(words: &str) -> String {
    format!("# {}\n", printable(words))
}

fn domain(text: &mut String, place: &Place, private: bool, reason: &str) {
    entry(text, "pattern", &place.host.to_string(), place.port, reason);
    if place.protocol != Protocol::Auto {
        let _ = writeln!(text, "    protocol: {}", place.protocol);
    }
    if private {
        let _ = writeln!(text, "    allow_private: true");
    }
}

fn entry(text: &mut String, key: &str, host: &str, port: u16, reason: &str) {
    let _ = writeln!(text, "  - {key}: {}\n    ports: [{port}]\n    reason: {}", quoted(host), quoted(reason));
}

/// A JSON string is one of YAML too, where each letter can be printed.
fn quoted(text: &str) -> String {
    serde_json::Value::from(printable(text)).to_string()
}

/// Without what YAML does not take, or what would not be one line.
fn printable(text: &str) -> String {
    let shown = |letter: char| letter == ' ' || letter.is_ascii_graphic() || letter.is_alphanumeric();
    text.chars().map(|letter| if shown(letter) { letter } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use bottle_policy::document::Document;

    use super::*;

    fn reach(url: &str, private: bool) -> Reach {
        Reach { place: Place::of(url).unwrap(), private, reason: "a \"reason\"\n: {}".into() }
    }

    #[test]
    fn it_reads_as_a_policy_by_which_all_is_allowed_once() {
        let reaches = vec![
            reach("https://registry.corp.example/a", true),
            reach("https://registry.corp.example/b", true),
            reach("http://plain.example:8081", false),
            reach("http://10.1.2.3:8081", true),
            reach("https://[fd00::1]", true),
        ];
        let notes = vec!["one\ndomains: []".to_owned()];
        let text = Found { reaches, notes, ..Found::default() }.yaml("about");
        let document = Document::parse(&text, "preset x").unwrap_or_else(|error| panic!("{error}\n{text}"));
        let domains: Vec<_> = document.domains().iter().map(|rule| (rule.pattern.to_string(), rule.protocol)).collect();
        let expected = [("registry.corp.example", Protocol::Auto), ("plain.example", Protocol::Http)];
        assert_eq!(domains, expected.map(|(name, protocol)| (name.to_owned(), protocol)));
        assert!(document.domains()[0].allow_private && !document.domains()[1].allow_private);
        assert_eq!(
            document.ranges().iter().map(|rule| rule.cidr.to_string()).collect::<Vec<_>>(),
            ["10.1.2.3/32", "fd00::1/128"]
        );
    }

    #[test]
    fn nothing_found_is_a_policy_that_allows_nothing() {
        let document = Document::parse(&Found::default().yaml("about"), "preset x").unwrap();
        assert!(document.domains().is_empty() && document.ranges().is_empty());
    }
}
