//! Which addresses may be dialled for a permit? All that its name has, or none.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bottle_policy::this_host::LOOPBACK;
use bottle_policy::{Host, Name, Reason, Rules, Target, addresses, check_addresses, check_proxy};

use super::{HostAddresses, Resolve};
use crate::permit::Permit;
use crate::promise::question;
use crate::{Detail, Refusal, UpstreamProxy};

/// Addresses that were resolved and checked under one permit. Made only by the check; these are dialled, and no others.
#[derive(Debug)]
pub struct Checked {
    addresses: Vec<SocketAddr>,
    /// Whose addresses they are, where not those of what the permit names.
    proxy: Option<Arc<UpstreamProxy>>,
}

/// A name with more addresses than this is refused: every one would have to be checked.
const MOST: usize = 64;

impl Checked {
    pub(super) fn into_parts(self) -> (Vec<SocketAddr>, Option<Arc<UpstreamProxy>>) {
        (self.addresses, self.proxy)
    }

    pub(super) fn is_proxied(&self) -> bool {
        self.proxy.is_some()
    }

    fn of(addresses: impl IntoIterator<Item = IpAddr>, port: u16) -> Checked {
        let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
        Checked { addresses, proxy: None }
    }
}

/// Resolves what the permit names and checks every address (P2): one that is forbidden denies them all.
pub(super) async fn resolve(
    permit: &Permit,
    rules: &Rules,
    resolver: &impl Resolve,
    host: &impl HostAddresses,
) -> Result<Checked, Refusal> {
    let request = &permit.attempt().request;
    let found = match &request.target {
        Target::Lease(name) | Target::Named(name) if name.is_this_host() => return loopback(permit, rules),
        Target::Lease(name) | Target::Named(name) => lookup(resolver, name).await?,
        Target::Literal(address) => vec![*address],
    };
    check(permit, rules, &found, host)?;
    Ok(Checked::of(found, request.port))
}

/// Through a proxy a name is handed over as it is: the proxy resolves it. An address is checked here, and so is that nobody
/// asks for the proxy itself.
pub(super) async fn through(
    proxy: &Arc<UpstreamProxy>,
    permit: &Permit,
    rules: &Rules,
    resolver: &impl Resolve,
    host: &impl HostAddresses,
) -> Result<Checked, Refusal> {
    match &permit.attempt().request.target {
        Target::Lease(name) | Target::Named(name) if name.is_this_host() => return loopback(permit, rules),
        Target::Lease(_) | Target::Named(_) => {}
        Target::Literal(address) => check(permit, rules, &[*address], host)?,
    }
    let found = match proxy.host() {
        Host::Address(address) => vec![*address],
        Host::Name(name) => lookup(resolver, name).await.map_err(|refusal| of_proxy(proxy, &refusal))?,
    };
    check_proxy(rules, &question(rules, permit.attempt()), proxy.host(), &found)
        .map_err(|reason| Refusal::denied(reason, proxy))?;
    Ok(Checked { proxy: Some(Arc::clone(proxy)), ..Checked::of(found, proxy.port()) })
}

fn of_proxy(proxy: &UpstreamProxy, refusal: &Refusal) -> Refusal {
    Refusal { detail: Detail::new(format_args!("the upstream proxy {proxy}: {}", refusal.detail)), ..refusal.clone() }
}

/// Whether all of these may be dialled, and none is the host itself.
fn check(permit: &Permit, rules: &Rules, found: &[IpAddr], host: &impl HostAddresses) -> Result<(), Refusal> {
    check_addresses(rules, &question(rules, permit.attempt()), found).map_err(|reason| refused(reason, found))?;
    for (address, led_to) in found.iter().flat_map(|address| led_to(*address).map(move |led_to| (address, led_to))) {
        match host.is_local(led_to) {
            Ok(false) => {}
            Ok(true) => return Err(Refusal::denied(Reason::HostAddress, address)),
            Err(error) => {
                return Err(Refusal::unavailable(format_args!("whose address is {address}: {error}")));
            }
        }
    }
    Ok(())
}

/// The host's loopback is not looked up: nobody outside says what it is.
fn loopback(permit: &Permit, rules: &Rules) -> Result<Checked, Refusal> {
    let question = question(rules, permit.attempt());
    check_addresses(rules, &question, &LOOPBACK).map_err(|reason| refused(reason, &LOOPBACK))?;
    Ok(Checked::of(LOOPBACK, question.port))
}

/// The address itself, and what a translator or the end of a tunnel would make of it.
fn led_to(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let embedded = if let IpAddr::V6(v6) = address { Some(addresses::embedded(v6)) } else { None };
    std::iter::once(address.to_canonical()).chain(embedded.into_iter().flatten().map(IpAddr::V4))
}

async fn lookup(resolver: &impl Resolve, name: &Name) -> Result<Vec<IpAddr>, Refusal> {
    let found = resolver.lookup(name).await.map_err(Refusal::unreachable)?;
    match found.addrs.len() {
        0 => Err(Refusal::unreachable("the name has no address")),
        1..=MOST => Ok(found.addrs),
        count => Err(Refusal::denied(Reason::Limit, format_args!("{count} addresses"))),
    }
}

fn refused(reason: Reason, found: &[IpAddr]) -> Refusal {
    let listed: Vec<String> = found.iter().take(4).map(IpAddr::to_string).collect();
    Refusal::denied(reason, format_args!("resolved to {}", listed.join(", ")))
}

#[cfg(test)]
impl Checked {
    /// Addresses that no rules were asked about: tests dial loopback, which no rules allow.
    pub(super) fn without_a_check(addresses: Vec<SocketAddr>) -> Checked {
        Checked { addresses, proxy: None }
    }
}
