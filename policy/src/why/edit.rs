//! What is the smallest edit of a policy that would allow this?

use std::fmt;

use crate::{
    Name, Pattern, Reason, Request, Rules, Seen, Target,
    addresses::{Class, classify},
    rules::{DomainRule, Origin, Protocol},
};

/// One edit. Its `Display` says it to a person; [`Edit::flag`] says it as an option.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edit {
    /// A new entry of `domains`.
    AddDomain {
        /// The name.
        name: Name,
        /// The port.
        port: u16,
        /// What the client speaks.
        protocol: Protocol,
    },
    /// A new entry of `ip_ranges`: one address.
    AddRange {
        /// The address, as /32 or /128.
        cidr: ipnet::IpNet,
        /// The port.
        port: u16,
    },
    /// One more port for a rule.
    AddPort {
        /// The rule.
        rule: String,
        /// The port.
        port: u16,
    },
    /// A pattern that means the apex too.
    IncludeApex {
        /// The rule.
        rule: String,
        /// `*.x`
        from: Pattern,
        /// `.x`
        to: Pattern,
    },
    /// `allow_private: true` for a rule.
    AllowPrivate {
        /// The rule.
        rule: String,
    },
    /// A new entry of `domains` with `allow_private: true`, which no option has.
    AddPrivate {
        /// The name.
        name: Name,
        /// The port.
        port: u16,
        /// What the client speaks.
        protocol: Protocol,
    },
    /// No edit would; the text says what could be done instead.
    None {
        /// In a word to the user.
        instead: &'static str,
    },
}

/// The smallest edit that would change a denial for `reason`; for addresses that a name resolved to, the reason is that of
/// [`check_addresses`](crate::check_addresses).
pub fn remedy(rules: &Rules, request: &Request, reason: Reason) -> Edit {
    match (&request.target, reason) {
        (_, Reason::DohEndpoint) => none("names are looked up by the bottle's own resolver; clients fall back to it"),
        (_, Reason::NameMismatch | Reason::NoName) => {
            none("the client has to name, in the clear, the host that it connects to")
        }
        (_, Reason::NothingSent) if spoken(&Request { seen: Seen::Nothing, ..request.clone() }) != Protocol::Tcp => {
            none("the client has to send something; a server that speaks first is allowed as `protocol: tcp`")
        }
        (_, Reason::Unparsable) => none("the client sends bytes that only look like TLS or HTTP"),
        (_, Reason::Escalation | Reason::Unavailable | Reason::Limit) => none("it is not the policy that denied it"),
        (_, Reason::Several) => none("what it stands for was denied for several reasons"),
        (_, Reason::HostAddress) => host_address(request),
        (Target::Literal(address), Reason::UpstreamProxy) => exact(*address, request.port),
        (Target::Lease(name) | Target::Named(name), Reason::UpstreamProxy) => {
            Edit::AddDomain { name: name.clone(), port: request.port, protocol: spoken(request) }
        }
        (Target::Literal(address), _) => literal(rules, *address, request),
        (Target::Lease(name) | Target::Named(name), _) if name.is_reserved() => none("this name is never reached"),
        (Target::Lease(name) | Target::Named(name), _) if name.is_reverse() => {
            none("only for the addresses that it gave itself does the bottle's resolver know a name")
        }
        (Target::Lease(name) | Target::Named(name), Reason::PrivateAddress) => allow_private(rules, name, request),
        (_, Reason::MetadataAddress) => none(
            "name the one address in `ip_ranges` as /32 or /128 if the workload is meant to hold the host's identity",
        ),
        (Target::Lease(name) | Target::Named(name), _) => domain(rules, name, request),
    }
}

impl Edit {
    /// The option of `bottle run` that does the same, where there is one.
    pub fn flag(&self) -> Option<String> {
        let Self::AddDomain { name, port, protocol } = self else {
            return None;
        };
        let (scheme, usual) = match protocol {
            Protocol::Auto | Protocol::Tls => ("", Some(443)),
            Protocol::Http => ("http://", Some(80)),
            Protocol::Tcp => ("tcp://", None),
        };
        let short = usual == Some(*port) && !name.is_this_host();
        Some(if short { format!("--allow {scheme}{name}") } else { format!("--allow {scheme}{name}:{port}") })
    }

    /// What to do, in one line: the option where there is one, else the edit. Nothing where no edit helps.
    pub fn in_a_line(&self) -> Option<String> {
        Some(match self {
            Self::AddDomain { .. } => return self.flag(),
            Self::AddRange { cidr, port } => {
                format!("add `{{ cidr: \"{cidr}\", ports: [{port}] }}` to `ip_ranges` in a policy file")
            }
            Self::AddPort { rule, port } => format!("add {port} to the `ports` of {rule}"),
            Self::IncludeApex { rule, from, to } => format!("write `{to}` instead of `{from}` in {rule}"),
            Self::AllowPrivate { rule } => format!("add `allow_private: true` to {rule}"),
            Self::AddPrivate { name, port, protocol } => format!(
                "add `{{ pattern: \"{name}\", ports: [{port}]{}, allow_private: true }}` to `domains` in a policy file",
                protocol_key(*protocol)
            ),
            Self::None { .. } => return None,
        })
    }
}

/// Keys that an entry needs besides the usual ones.
fn protocol_key(protocol: Protocol) -> String {
    match protocol {
        Protocol::Auto | Protocol::Tls => String::new(),
        other => format!(", protocol: {other}"),
    }
}

fn none(instead: &'static str) -> Edit {
    Edit::None { instead }
}

fn host_address(request: &Request) -> Edit {
    match request.target {
        Target::Literal(address) if matches!(classify(address), Class::LinkLocal(_)) => exact(address, request.port),
        _ => none(
            "the host's own addresses are never reached; a service on its loopback is `host.bottle.internal`, where a rule names the port",
        ),
    }
}

fn literal(rules: &Rules, address: std::net::IpAddr, request: &Request) -> Edit {
    let port = request.port;
    let class = classify(address);
    if class == Class::Pool {
        return none("addresses of the pool stand for names inside the bottle");
    }
    if class == Class::Host {
        return host_address(request);
    }
    let names_it = |net: &ipnet::IpNet| match class {
        Class::Special(block, _) | Class::LinkLocal(block) => net.contains(&address) && block.contains(net),
        Class::Metadata(_) => net.contains(&address) && net.prefix_len() == net.max_prefix_len(),
        _ => net.contains(&address),
    };
    match rules.ranges().iter().find(|rule| names_it(&rule.cidr) && !rule.ports.contains(port)) {
        Some(rule) => add_port(&rule.origin, port).unwrap_or_else(|| exact(address, port)),
        None => exact(address, port),
    }
}

fn exact(address: std::net::IpAddr, port: u16) -> Edit {
    Edit::AddRange { cidr: ipnet::IpNet::from(address), port }
}

fn allow_private(rules: &Rules, name: &Name, request: &Request) -> Edit {
    let port = request.port;
    let names_it = |rule: &&DomainRule| rule.pattern.matches(name) && rule.ports.contains(port);
    let rule = rules.domains().iter().filter(names_it).find(|rule| same_kind(rule.protocol, spoken(request)));
    match rule {
        Some(DomainRule { origin: origin @ Origin::Document { .. }, .. }) => {
            Edit::AllowPrivate { rule: origin.to_string() }
        }
        Some(DomainRule { protocol, .. }) => Edit::AddPrivate { name: name.clone(), port, protocol: *protocol },
        None => Edit::AddPrivate { name: name.clone(), port, protocol: spoken(request) },
    }
}

fn domain(rules: &Rules, name: &Name, request: &Request) -> Edit {
    let port = request.port;
    let protocol = spoken(request);
    let fits = |rule: &&DomainRule| same_kind(rule.protocol, protocol);
    let near = rules.domains().iter().filter(fits);
    for rule in near {
        let edit = match &rule.pattern {
            pattern if pattern.matches(name) && !rule.ports.contains(port) => add_port(&rule.origin, port),
            Pattern::Below(apex) if apex == name && rule.ports.contains(port) => include_apex(rule, apex),
            _ => None,
        };
        if let Some(edit) = edit {
            return edit;
        }
    }
    Edit::AddDomain { name: name.clone(), port, protocol }
}

/// A flag is given anew rather than edited.
fn add_port(origin: &Origin, port: u16) -> Option<Edit> {
    matches!(origin, Origin::Document { .. }).then(|| Edit::AddPort { rule: origin.to_string(), port })
}

fn include_apex(rule: &DomainRule, apex: &Name) -> Option<Edit> {
    let written = matches!(rule.origin, Origin::Document { .. });
    written.then(|| Edit::IncludeApex {
        rule: rule.origin.to_string(),
        from: rule.pattern.clone(),
        to: Pattern::AndBelow(apex.clone()),
    })
}

/// What the client showed that it speaks, or what the port is usually for.
fn spoken(request: &Request) -> Protocol {
    match (&request.seen, request.port) {
        (Seen::Tls { .. }, _) => Protocol::Auto,
        (Seen::Http { .. }, _) => Protocol::Http,
        (Seen::Nothing, 443 | 8443) => Protocol::Auto,
        (Seen::Nothing, 80 | 8080) => Protocol::Http,
        _ => Protocol::Tcp,
    }
}

fn same_kind(rule: Protocol, spoken: Protocol) -> bool {
    let tls = |protocol| matches!(protocol, Protocol::Auto | Protocol::Tls);
    rule == Protocol::Tcp || rule == spoken || (tls(rule) && tls(spoken))
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddDomain { name, port, protocol } => {
                let flag = self.flag().unwrap_or_default();
                write!(f, "to allow it: {flag}, or add to `domains`:\n  - pattern: \"{name}\"\n    ports: [{port}]")?;
                if *protocol == Protocol::Auto { Ok(()) } else { write!(f, "\n    protocol: {protocol}") }
            }
            Self::AddRange { cidr, port } => {
                write!(f, "to allow it, add to `ip_ranges`:\n  - cidr: \"{cidr}\"\n    ports: [{port}]")
            }
            Self::AddPort { rule, port } => {
                write!(f, "to allow it, in {rule}: add {port} to its `ports`")
            }
            Self::IncludeApex { rule, from, to } => {
                write!(f, "to allow it, in {rule}: write `{to}` instead of `{from}`")
            }
            Self::AllowPrivate { rule } => {
                write!(f, "to allow it, in {rule}: add `allow_private: true`")
            }
            Self::AddPrivate { name, port, protocol } => {
                write!(
                    f,
                    "to allow it, add to `domains` of a policy file:\n  - pattern: \"{name}\"\n    ports: [{port}]"
                )?;
                if !matches!(protocol, Protocol::Auto | Protocol::Tls) {
                    write!(f, "\n    protocol: {protocol}")?;
                }
                write!(f, "\n    allow_private: true")
            }
            Self::None { instead } => write!(f, "no edit of the policy allows it: {instead}"),
        }
    }
}
