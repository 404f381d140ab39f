//! May this connection be made?
//!
//! Every yes and no of the product is here. The order in which reasons are looked for is: encrypted DNS, no rule, port,
//! unparsable bytes, disagreeing names, protocol, addresses; so a denial names what a rule could change first.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::{
    Grant, Host, HttpHost, Mode, Name, Pattern, Reason, Request, Rules, Seen, Target, Verdict,
    addresses::{Class, classify, embedded},
    endpoints,
    rules::{DomainRule, Found, Protocol},
    this_host::LOOPBACK,
};

/// The verdict on one connection attempt, given what its first bytes showed so far.
///
/// With [`Seen::Nothing`] it is [`Verdict::Allow`] where a rule says `protocol: tcp` (or for an address in `ip_ranges`, or in
/// observe mode), and [`Verdict::Peek`] where a rule wants to see TLS or HTTP first. An allow holds for every later byte only
/// if the same question, asked again with what those bytes show, is allowed as well.
pub fn decide(rules: &Rules, request: &Request) -> Verdict {
    match judge(rules, request) {
        Ok(verdict) => verdict,
        Err(reason) => Verdict::Deny(reason),
    }
}

/// Whether some port of `name` could be allowed: what the sinkhole asks before it gives an address out.
pub fn resolvable(rules: &Rules, name: &Name) -> Result<(), Reason> {
    find(rules, name, 0).map(|_| ())
}

/// The rule for `name` that [`decide`] answers by once what it asks for has been seen.
pub(crate) fn rule_for<'a>(rules: &'a Rules, name: &Name, port: u16) -> Option<&'a DomainRule> {
    let (rule, _) = find(rules, name, port).ok()?.rule(ANY)?;
    rules.domains().get(rule)
}

/// Whether every one of `addresses` may be dialled for `request`: those the name resolved to, or the literal itself.
/// No address at all, or a request that is not allowed, is an error. The host's own public addresses are the dialler's to check.
pub fn check_addresses(rules: &Rules, request: &Request, addresses: &[IpAddr]) -> Result<(), Reason> {
    let grant = match judge(rules, request)? {
        Verdict::Allow(grant) => grant,
        Verdict::Deny(reason) => return Err(reason),
        Verdict::Escalate(_) => return Err(Reason::Escalation),
        Verdict::Peek => return Err(Reason::Unavailable),
    };
    if addresses.is_empty() {
        return Err(Reason::Unavailable);
    }
    match &request.target {
        Target::Lease(name) | Target::Named(name) if name.is_this_host() => {
            let known = addresses.iter().all(|address| LOOPBACK.contains(address));
            return if known { Ok(()) } else { Err(Reason::HostAddress) };
        }
        Target::Literal(literal) if addresses.iter().any(|address| address != literal) => {
            return Err(Reason::LiteralAddress);
        }
        _ => {}
    }
    addresses.iter().try_for_each(|address| check_address(rules, *address, request.port, grant.private))
}

/// Whether what is allowed may be asked of an upstream proxy, given the proxy's own name or address and all its addresses.
/// Who reaches the proxy itself reaches all that it reaches: that takes a rule which names it and nothing else.
pub fn check_proxy(rules: &Rules, request: &Request, proxy: &Host, addresses: &[IpAddr]) -> Result<(), Reason> {
    let named = match &request.target {
        Target::Lease(name) | Target::Named(name) if *proxy == Host::Name(name.clone()) => {
            let exact = |rule: &&DomainRule| rule.pattern == Pattern::Exact(name.clone());
            let fits = fitting(&request.seen);
            rules
                .domains()
                .iter()
                .filter(exact)
                .any(|rule| rule.ports.contains(request.port) && fits.contains(&rule.protocol))
        }
        Target::Literal(literal) if addresses.iter().any(|own| leads_to(*literal, own.to_canonical())) => {
            let exact = |net: IpNet| net.prefix_len() == net.max_prefix_len();
            rules.index().address(*literal, request.port, exact).rule(ANY).is_some()
        }
        _ => true,
    };
    if named { Ok(()) } else { Err(Reason::UpstreamProxy) }
}

/// Whether it is this address, or a translator or the end of a tunnel makes it that one.
fn leads_to(literal: IpAddr, own: IpAddr) -> bool {
    let inside = if let IpAddr::V6(v6) = literal { Some(embedded(v6)) } else { None };
    literal.to_canonical() == own || inside.into_iter().flatten().any(|inside| IpAddr::V4(inside) == own)
}

fn judge(rules: &Rules, request: &Request) -> Result<Verdict, Reason> {
    if request.port == 0 {
        return Err(Reason::PortNotAllowed);
    }
    deny_encrypted_dns(request)?;
    match &request.target {
        Target::Lease(name) | Target::Named(name) => judge_name(rules, name, request.port, &request.seen),
        Target::Literal(address) => judge_literal(rules, *address, request.port, &request.seen),
    }
}

fn deny_encrypted_dns(request: &Request) -> Result<(), Reason> {
    let target = matches!(request.target, Target::Literal(address) if endpoints::is_resolver_address(address));
    let shown = match &request.seen {
        Seen::Tls { sni: Some(name), .. } | Seen::Http { host: HttpHost::Name(name), .. } => {
            endpoints::is_resolver_name(name)
        }
        _ => false,
    };
    if target || shown || request.port == endpoints::DOT_PORT { Err(Reason::DohEndpoint) } else { Ok(()) }
}

/// What the rules have for a name, unless it may be reached at no port whatever is seen.
fn find(rules: &Rules, name: &Name, port: u16) -> Result<Found, Reason> {
    if endpoints::is_resolver_name(name) {
        return Err(Reason::DohEndpoint);
    }
    if name.is_reserved() {
        return Err(Reason::NoRule);
    }
    let found = rules.index().name(name, port);
    if found.named || is_lenient(rules, name) { Ok(found) } else { Err(Reason::NoRule) }
}

/// Whether what no rule names is allowed and recorded. Never of the host's loopback.
fn is_lenient(rules: &Rules, name: &Name) -> bool {
    rules.mode() == Mode::Observe && !name.is_this_host()
}

fn judge_name(rules: &Rules, name: &Name, port: u16, seen: &Seen) -> Result<Verdict, Reason> {
    let found = find(rules, name, port)?;
    let lenient = is_lenient(rules, name);
    if !lenient && found.rule(ANY).is_none() {
        return Err(Reason::PortNotAllowed);
    }
    deny_disagreement(Some(name), port, seen)?;
    let fits = fitting(seen);
    match found.rule(fits) {
        Some((rule, private)) => {
            let observed = rules.mode() == Mode::Observe;
            Ok(Verdict::Allow(Grant { rule: rules.domains()[rule].origin.to_string(), private, observed }))
        }
        None if lenient => Ok(Verdict::Allow(Grant { rule: OBSERVED.to_owned(), private: false, observed: true })),
        None if *seen == Seen::Nothing => Ok(Verdict::Peek),
        None => Err(wrong_protocol(&found, seen)),
    }
}

/// An address has no name that others could disagree with, so whatever its range allows may be spoken.
fn judge_literal(rules: &Rules, address: IpAddr, port: u16, seen: &Seen) -> Result<Verdict, Reason> {
    let observe = rules.mode() == Mode::Observe;
    let class = classify(address);
    if class == Class::Pool {
        return Err(Reason::LiteralAddress);
    }
    let range = rules.index().address(address, port, |_| true);
    let rule = match range.rule(ANY) {
        Some((rule, _)) => rules.ranges()[rule].origin.to_string(),
        None if observe => OBSERVED.to_owned(),
        None if range.named => return Err(Reason::PortNotAllowed),
        None => return Err(literal_reason(class)),
    };
    deny_disagreement_with_address(address, port, seen)?;
    check_address(rules, address, port, false)?;
    Ok(Verdict::Allow(Grant { rule, private: false, observed: observe }))
}

const OBSERVED: &str = "mode: observe";
const ANY: &[Protocol] = &[Protocol::Auto, Protocol::Tls, Protocol::Http, Protocol::Tcp];

/// Which protocols of a rule what was seen satisfies.
fn fitting(seen: &Seen) -> &'static [Protocol] {
    match seen {
        Seen::Tls { .. } => &[Protocol::Auto, Protocol::Tls, Protocol::Tcp],
        Seen::Http { .. } => &[Protocol::Http, Protocol::Tcp],
        Seen::Nothing | Seen::Silent | Seen::Opaque => &[Protocol::Tcp],
        Seen::Unparsable(_) => &[],
    }
}

fn wrong_protocol(found: &Found, seen: &Seen) -> Reason {
    if *seen == Seen::Silent {
        return Reason::NothingSent;
    }
    let wants_tls = found.rule(&[Protocol::Auto, Protocol::Tls]).is_some();
    if wants_tls && !matches!(seen, Seen::Tls { .. }) { Reason::NotTls } else { Reason::NotHttp }
}

/// All names that show must agree; where none shows, the lease or the CONNECT names it.
fn deny_disagreement(name: Option<&Name>, port: u16, seen: &Seen) -> Result<(), Reason> {
    let agrees = |shown: &Name| name.is_none_or(|name| name == shown);
    match seen {
        Seen::Nothing | Seen::Silent | Seen::Opaque => Ok(()),
        Seen::Unparsable(_) => Err(Reason::Unparsable),
        Seen::Tls { sni: Some(shown), .. } if !agrees(shown) => Err(Reason::NameMismatch),
        Seen::Tls { sni: None, ech: true } => Err(Reason::NoName),
        Seen::Tls { .. } => Ok(()),
        Seen::Http { port: Some(shown), .. } if *shown != port => Err(Reason::NameMismatch),
        Seen::Http { host: HttpHost::Name(shown), .. } if !agrees(shown) => Err(Reason::NameMismatch),
        Seen::Http { host: HttpHost::Address(_), .. } if name.is_some() => Err(Reason::NameMismatch),
        Seen::Http { .. } => Ok(()),
    }
}

fn deny_disagreement_with_address(address: IpAddr, port: u16, seen: &Seen) -> Result<(), Reason> {
    match seen {
        Seen::Http { host: HttpHost::Address(shown), .. } if *shown != address => Err(Reason::NameMismatch),
        _ => deny_disagreement(None, port, seen),
    }
}

fn literal_reason(class: Class) -> Reason {
    match class {
        Class::Metadata(_) => Reason::MetadataAddress,
        Class::Host => Reason::HostAddress,
        _ => Reason::LiteralAddress,
    }
}

/// P2: a range covers a special address only if it lies wholly in that address's own special block, so that a range as wide as
/// 8.0.0.0/6 is no permission for 10.0.0.0/8; a metadata address needs a range that holds nothing else.
fn check_address(rules: &Rules, address: IpAddr, port: u16, private: bool) -> Result<(), Reason> {
    if endpoints::is_resolver_address(address) {
        return Err(Reason::DohEndpoint);
    }
    let covered = |counts: &dyn Fn(IpNet) -> bool| rules.index().address(address, port, counts).rule(ANY).is_some();
    match classify(address) {
        Class::Public => Ok(()),
        Class::Host => Err(Reason::HostAddress),
        Class::Pool => Err(Reason::PrivateAddress),
        Class::Special(..) if private => Ok(()),
        // A v4-mapped address is covered by ranges of the address that it maps, by the same rules.
        Class::Special(..) if address.to_canonical() != address && covered(&|_| true) => {
            check_address(rules, address.to_canonical(), port, false)
        }
        Class::Special(block, _) if covered(&|net| block.contains(&net)) => Ok(()),
        Class::Special(..) => Err(Reason::PrivateAddress),
        Class::LinkLocal(block) if covered(&|net| block.contains(&net)) => Ok(()),
        Class::LinkLocal(_) => Err(Reason::HostAddress),
        Class::Metadata(_) if covered(&|net| net.prefix_len() == net.max_prefix_len()) => Ok(()),
        Class::Metadata(_) => Err(Reason::MetadataAddress),
    }
}
