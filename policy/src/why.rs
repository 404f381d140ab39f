//! Why is a destination allowed or denied, and what is the smallest edit that would change the answer?

mod edit;

use std::fmt;

pub use edit::{Edit, remedy};

use crate::decide::rule_for;
use crate::{Host, HostError, HttpHost, Reason, Request, Rules, Seen, Target, Verdict, decide};

/// The answer to "why", from the same function that enforces.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Explanation {
    /// What was asked.
    pub request: Request,
    /// What [`decide`] answers.
    pub verdict: Verdict,
    /// The rule that allows it or wants to see more, with file, line and column.
    pub rule: Option<String>,
    /// What would change a denial.
    pub edit: Option<Edit>,
}

/// Explains the verdict on one request.
pub fn why(rules: &Rules, request: &Request) -> Explanation {
    let verdict = decide(rules, request);
    let rule = match &verdict {
        Verdict::Allow(grant) => Some(grant.rule.clone()),
        Verdict::Peek => matching_rule(rules, request),
        Verdict::Deny(_) | Verdict::Escalate(_) => None,
    };
    let edit = match verdict {
        Verdict::Deny(reason) | Verdict::Escalate(reason) => Some(remedy(rules, request, reason)),
        Verdict::Allow(_) | Verdict::Peek => None,
    };
    Explanation { request: request.clone(), verdict, rule, edit }
}

/// The request that `NAME[:PORT]`, `ADDRESS[:PORT]` or `[V6][:PORT]` asks about, before any byte was seen. The port is 443 if left
/// out. As for `--allow`, `tls://`, `http://` or `tcp://` may stand before it and says what the client speaks.
pub fn ask(whole: &str) -> Result<Request, HostError> {
    let (scheme, text) = SCHEMES.iter().find_map(|scheme| Some((*scheme, whole.strip_prefix(scheme)?))).unzip();
    let (scheme, text) = (scheme.unwrap_or_default(), text.unwrap_or(whole));
    let (host, port) = match text.parse() {
        Ok(bare) => (Host::Address(bare), None),
        Err(_) => Host::parse_with_port(text)?,
    };
    let port = match (port, scheme) {
        (Some(port), _) => port,
        (None, "tcp://") => return Err(HostError::Port),
        (None, "http://") => 80,
        (None, _) => 443,
    };
    let seen = spoken(scheme, &host);
    let target = match host {
        Host::Name(name) => Target::Lease(name),
        Host::Address(address) => Target::Literal(address),
    };
    Ok(Request { target, port, seen })
}

const SCHEMES: [&str; 3] = ["tls://", "http://", "tcp://"];

/// What the first bytes of a client show that speaks this.
fn spoken(scheme: &str, host: &Host) -> Seen {
    match (scheme, host) {
        ("tls://", Host::Name(name)) => Seen::Tls { sni: Some(name.clone()), ech: false },
        ("tls://", Host::Address(_)) => Seen::Tls { sni: None, ech: false },
        ("http://", Host::Name(name)) => Seen::Http { host: HttpHost::Name(name.clone()), port: None },
        ("http://", Host::Address(address)) => Seen::Http { host: HttpHost::Address(*address), port: None },
        ("tcp://", _) => Seen::Opaque,
        _ => Seen::Nothing,
    }
}

fn matching_rule(rules: &Rules, request: &Request) -> Option<String> {
    let (Target::Lease(name) | Target::Named(name)) = &request.target else {
        return None;
    };
    rule_for(rules, name, request.port).map(|rule| rule.origin.to_string())
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.request.port;
        match &self.request.target {
            Target::Lease(name) | Target::Named(name) => write!(f, "{name}:{port}")?,
            Target::Literal(address) => write!(f, "{}:{port}", Host::Address(*address))?,
        }
        let rule = self.rule.as_deref().unwrap_or_default();
        match &self.verdict {
            Verdict::Allow(grant) if grant.observed => write!(f, ": allowed and recorded ({rule})")?,
            Verdict::Allow(_) => write!(f, ": allowed by {rule}")?,
            Verdict::Peek => write!(
                f,
                ": allowed by {rule}, if the client's first bytes are what it asks for and name the same host"
            )?,
            Verdict::Deny(reason) => denied(f, *reason)?,
            Verdict::Escalate(reason) => write!(f, ": needs an approval: {reason}")?,
        }
        match &self.edit {
            Some(edit) => write!(f, "\n{edit}"),
            None => Ok(()),
        }
    }
}

fn denied(f: &mut fmt::Formatter<'_>, reason: Reason) -> fmt::Result {
    write!(f, ": denied: {reason} ({})", reason.code())
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"version: 1
domains:
  - pattern: "*.example.com"
    ports: [443]
  - pattern: db.example.com
    ports: [5432]
    protocol: tcp
ip_ranges:
  - cidr: 10.20.0.0/16
    ports: [5432]
"#;

    fn answer(policy: &str, question: &str) -> String {
        let rules = Rules::from_text(policy, "agent.yaml").expect("a good policy");
        why(&rules, &ask(question).expect(question)).to_string()
    }

    #[test]
    fn an_allowed_destination_names_its_rule_with_file_line_and_column() {
        assert_eq!(
            answer(POLICY, "db.example.com:5432"),
            "db.example.com:5432: allowed by domains[1] at agent.yaml:5:5"
        );
        assert_eq!(answer(POLICY, "10.20.1.1:5432"), "10.20.1.1:5432: allowed by ip_ranges[0] at agent.yaml:9:5");
        assert!(
            answer(POLICY, "a.example.com")
                .starts_with("a.example.com:443: allowed by domains[0] at agent.yaml:3:5, if")
        );
    }

    #[test]
    fn a_denied_name_names_the_entry_that_would_allow_it() {
        let expected = "other.example:443: denied: no rule names this destination (no-rule)\n\
            to allow it: --allow other.example, or add to `domains`:\n  - pattern: \"other.example\"\n    ports: [443]";
        assert_eq!(answer(POLICY, "other.example"), expected);
    }

    #[test]
    fn what_is_asked_as_an_option_is_written_gets_an_answer_for_that_protocol() {
        assert!(answer(POLICY, "tcp://db.example.com:5432").ends_with("allowed by domains[1] at agent.yaml:5:5"));
        assert!(answer(POLICY, "tls://a.example.com").contains("allowed by domains[0] at agent.yaml:3:5"));
        assert!(
            answer(POLICY, "http://other.example").contains("other.example:80: denied: no rule names this destination")
        );
        assert!(answer(POLICY, "http://other.example").contains("--allow http://other.example,"));
        assert!(answer(POLICY, "tcp://other.example:22").contains("--allow tcp://other.example:22,"));
        assert!(answer(POLICY, "http://a.example.com:443").contains("denied"));
        assert_eq!(ask("tcp://db.example.com"), Err(HostError::Port));
    }

    #[test]
    fn an_apex_that_a_star_misses_is_told_so() {
        assert!(
            answer(POLICY, "example.com")
                .contains("domains[0] at agent.yaml:3:5: write `.example.com` instead of `*.example.com`")
        );
    }

    #[test]
    fn another_port_of_a_rule_is_added_to_it() {
        assert!(answer(POLICY, "a.example.com:8443").contains("domains[0] at agent.yaml:3:5: add 8443 to its `ports`"));
        assert!(answer(POLICY, "10.20.1.1:22").contains("ip_ranges[0] at agent.yaml:9:5: add 22 to its `ports`"));
    }

    #[test]
    fn an_address_gets_an_exact_range() {
        assert!(answer(POLICY, "192.168.7.7:22").contains("- cidr: \"192.168.7.7/32\"\n    ports: [22]"));
        assert!(answer(POLICY, "169.254.169.254:80").contains("- cidr: \"169.254.169.254/32\""));
    }

    #[test]
    fn the_hosts_loopback_is_asked_about_by_its_one_name() {
        let policy = "version: 1\ndomains:\n  - pattern: host.bottle.internal\n    ports: [11434]\n    protocol: http\n  - pattern: \"*.internal\"\n";
        assert_eq!(
            answer(policy, "host.bottle.internal:11434"),
            "host.bottle.internal:11434: allowed by domains[0] at agent.yaml:3:5, if the client's first bytes are what it \
             asks for and name the same host"
        );
        assert!(answer(policy, "host.bottle.internal:5432").contains("(port-not-allowed)"));
        let other = answer("version: 1\n", "host.bottle.internal:443");
        assert!(other.contains("(no-rule)\nto allow it: --allow host.bottle.internal:443, or add"), "{other}");
        assert!(answer("version: 1\n", "127.0.0.1:5432").contains("`host.bottle.internal`"));
    }

    #[test]
    fn what_no_edit_changes_says_so() {
        for question in ["127.0.0.1:80", "28.1.2.3", "dns.google", "1.1.1.1", "a.example.com:853", "x.invalid"] {
            assert!(answer(POLICY, question).contains("no edit of the policy"), "{question}");
        }
    }
}
