//! Which destinations does the user hear of? Each that got no connection, once, with what would allow it.

use std::collections::HashSet;
use std::sync::Arc;

use bottle_policy::why::{Edit, ask, remedy};
use bottle_policy::{Reason, Request, Rules, Seen, Target};
use bottle_proxy::{Ended, Outcome};

use crate::event::Event;

/// Destinations that are named to the user one by one; that there are others is one more line, and they are in the log.
const MOST: usize = 256;

/// What the user has heard of.
pub(super) struct Told {
    rules: Arc<Rules>,
    destinations: HashSet<(String, Option<u16>)>,
    /// Of others that there are some.
    others: bool,
}

impl Told {
    /// Nothing yet.
    pub(super) fn new(rules: Arc<Rules>) -> Told {
        Told { rules, destinations: HashSet::new(), others: false }
    }

    /// A connection was denied.
    pub(super) fn denied(&mut self, request: &Request, reason: Reason) -> Option<Event> {
        let detail = if let Seen::Unparsable(why) = &request.seen { why } else { "" };
        self.refused(request, reason, detail)
    }

    /// A name was looked up in vain. For which port it was, nobody knows yet.
    pub(super) fn unnamed(&mut self, name: &str, reason: Reason) -> Option<Event> {
        let edit = ask(name).ok().map(|request| remedy(&self.rules, &request, reason));
        let allow = match &edit {
            Some(Edit::AddDomain { name, .. }) if name.is_this_host() => {
                Some(format!("--allow http://{name}:PORT or tcp://{name}:PORT, with the port that is meant"))
            }
            Some(edit @ Edit::AddDomain { name, .. }) => edit
                .in_a_line()
                .map(|allow| format!("{allow} (TLS on 443; for others http://{name} or tcp://{name}:PORT)")),
            other => other.as_ref().and_then(Edit::in_a_line),
        };
        self.blocked(name.to_owned(), None, reason, "", allow)
    }

    /// A connection ended, perhaps without having been one: what was allowed may still be denied at the dial.
    pub(super) fn ended(&mut self, request: &Request, outcome: &Outcome) -> Option<Event> {
        let detail = outcome.detail.as_str();
        match (outcome.ended, outcome.reason) {
            (Ended::Refused, Some(reason)) => self.refused(&as_shown(request, outcome, reason), reason, detail),
            (Ended::Unreachable, _) => {
                let (host, port) = (host(request), request.port);
                let key = (host.clone(), Some(port));
                self.once(key, || Event::Unreachable { host, port, why: detail.to_owned() })
            }
            _ => None,
        }
    }

    fn refused(&mut self, request: &Request, reason: Reason, detail: &str) -> Option<Event> {
        let allow = remedy(&self.rules, request, reason).in_a_line();
        self.blocked(host(request), Some(request.port), reason, detail, allow)
    }

    fn blocked(
        &mut self,
        host: String,
        port: Option<u16>,
        reason: Reason,
        detail: &str,
        allow: Option<String>,
    ) -> Option<Event> {
        let (reason, detail) = (reason.code().to_owned(), detail.to_owned());
        self.once((host.clone(), port), || Event::Blocked { host, port, reason, detail, allow })
    }

    /// The event for a destination that is new.
    fn once(&mut self, destination: (String, Option<u16>), event: impl FnOnce() -> Event) -> Option<Event> {
        if self.destinations.contains(&destination) {
            return None;
        }
        if self.destinations.len() == MOST {
            return (!std::mem::replace(&mut self.others, true)).then_some(Event::Untold);
        }
        self.destinations.insert(destination);
        Some(event())
    }
}

/// What a tunnel carries shows only after its request was decided upon, and is neither TLS nor HTTP where that is the reason.
fn as_shown(request: &Request, outcome: &Outcome, reason: Reason) -> Request {
    let carried = outcome.upstream.is_some() && matches!(reason, Reason::NotTls | Reason::NotHttp);
    let seen = if carried { Seen::Opaque } else { request.seen.clone() };
    Request { seen, ..request.clone() }
}

fn host(request: &Request) -> String {
    match &request.target {
        Target::Lease(name) | Target::Named(name) => name.to_string(),
        Target::Literal(address) => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use bottle_policy::Name;
    use bottle_proxy::Detail;

    use super::*;

    fn told(policy: &str) -> Told {
        Told::new(Arc::new(Rules::from_text(&format!("version: 1\n{policy}"), "agent.yaml").unwrap()))
    }

    fn request(name: &str) -> Request {
        Request {
            target: Target::Lease(Name::parse(name).unwrap()),
            port: 443,
            seen: Seen::Tls { sni: None, ech: false },
        }
    }

    fn outcome(ended: Ended, reason: Option<Reason>, detail: &str) -> Outcome {
        let detail = Detail::new(detail);
        Outcome { attempt: 1, ended, reason, upstream: None, bytes_up: 0, bytes_down: 0, millis: 0, detail }
    }

    fn advice(told: &mut Told, request: &Request, reason: Reason) -> Option<String> {
        match told.ended(request, &outcome(Ended::Refused, Some(reason), "")) {
            Some(Event::Blocked { allow, .. }) => allow,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn of_a_name_that_was_only_looked_up_other_ports_than_that_of_tls_are_told_and_of_a_reverse_one_nothing() {
        let mut told = told("");
        let mut allow = |name: &str| match told.unnamed(name, Reason::NoRule) {
            Some(Event::Blocked { allow, .. }) => allow,
            other => panic!("{other:?}"),
        };
        let said = "--allow a.example (TLS on 443; for others http://a.example or tcp://a.example:PORT)";
        assert_eq!(allow("a.example").as_deref(), Some(said));
        let said =
            "--allow http://host.bottle.internal:PORT or tcp://host.bottle.internal:PORT, with the port that is meant";
        assert_eq!(allow("host.bottle.internal").as_deref(), Some(said));
        assert_eq!((allow("8.8.8.8.in-addr.arpa"), allow("8.b.d.0.1.0.0.2.ip6.arpa")), (None, None));
    }

    #[test]
    fn a_private_address_behind_an_allowed_name_is_told_with_the_edit_that_would_allow_it() {
        let mut told = told("domains:\n  - pattern: \"db.example\"\n");
        let refused = outcome(Ended::Refused, Some(Reason::PrivateAddress), "resolved to 10.1.2.3");
        let Some(Event::Blocked { host, port, reason, detail, allow }) = told.ended(&request("db.example"), &refused)
        else {
            panic!("nothing was told")
        };
        assert_eq!((host.as_str(), port, reason.as_str()), ("db.example", Some(443), "private-address"));
        assert_eq!(detail, "resolved to 10.1.2.3");
        assert_eq!(allow.as_deref(), Some("add `allow_private: true` to domains[0] at agent.yaml:3:5"));
        assert_eq!(told.ended(&request("db.example"), &refused), None, "once");
    }

    #[test]
    fn nothing_is_promised_where_nothing_helps() {
        let mut told = told("domains:\n  - pattern: \"*.example\"\n");
        assert_eq!(advice(&mut told, &request("host.example"), Reason::HostAddress), None);
        assert_eq!(advice(&mut told, &request("metadata.example"), Reason::MetadataAddress), None);
        assert_eq!(advice(&mut told, &request("busy.example"), Reason::Limit), None);
    }

    #[test]
    fn what_a_tunnel_carries_is_allowed_as_another_protocol() {
        let mut told = told("domains:\n  - pattern: \"a.example\"\n");
        let upstream = Some("11.1.0.1:443".parse().unwrap());
        let late = Outcome { upstream, ..outcome(Ended::Refused, Some(Reason::NotTls), "") };
        let asked = Request { seen: Seen::Nothing, ..request("a.example") };
        let Some(Event::Blocked { allow, .. }) = told.ended(&asked, &late) else { panic!("nothing was told") };
        assert_eq!(allow.as_deref(), Some("--allow tcp://a.example:443"));
    }

    #[test]
    fn a_destination_that_does_not_answer_is_told_once_and_one_that_does_never() {
        let mut told = told("domains:\n  - pattern: \"a.example\"\n");
        let gone = outcome(Ended::Unreachable, None, "Connection refused");
        let event = Event::Unreachable { host: "a.example".into(), port: 443, why: "Connection refused".into() };
        assert_eq!(told.ended(&request("a.example"), &outcome(Ended::Closed, None, "")), None);
        assert_eq!(told.ended(&request("a.example"), &gone), Some(event));
        assert_eq!(told.ended(&request("a.example"), &gone), None);
    }

    #[test]
    fn a_flood_of_destinations_is_told_in_part_and_that_there_are_others() {
        let mut told = told("");
        let names = (0..1000).map(|number| format!("n{number}.example"));
        let events: Vec<Event> = names.filter_map(|name| told.unnamed(&name, Reason::NoRule)).collect();
        let (last, named) = events.split_last().unwrap();
        assert_eq!(last, &Event::Untold);
        assert_eq!(named.len(), MOST);
        assert!(named.iter().all(|event| matches!(event, Event::Blocked { .. })));
        assert_eq!(told.unnamed("n0.example", Reason::NoRule), None);
    }
}
