//! Which addresses may be dialled for a permit? All that its name has, or none.

use std::net::{IpAddr, SocketAddr};

use bottle_policy::{Name, Reason, Rules, Target, check_addresses};

use super::{HostAddresses, Resolve};
use crate::Refusal;
use crate::permit::Permit;
use crate::promise::question;

/// Addresses that were resolved and checked under one permit. Made only by the check; these are dialled, and no others.
#[derive(Debug)]
pub struct Checked {
    addresses: Vec<SocketAddr>,
}

/// A name with more addresses than this is refused: every one would have to be checked.
const MOST: usize = 64;

impl Checked {
    pub(super) fn into_addresses(self) -> Vec<SocketAddr> {
        self.addresses
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
        Target::Lease(name) | Target::Named(name) => lookup(resolver, name).await?,
        Target::Literal(address) => vec![*address],
    };
    check_addresses(rules, &question(rules, permit.attempt()), &found).map_err(|reason| refused(reason, &found))?;
    for address in &found {
        match host.is_local(address.to_canonical()) {
            Ok(false) => {}
            Ok(true) => return Err(Refusal::denied(Reason::HostAddress, address)),
            Err(error) => {
                return Err(Refusal::unavailable(format_args!("whose address is {address}: {error}")));
            }
        }
    }
    Ok(Checked { addresses: found.into_iter().map(|address| SocketAddr::new(address, request.port)).collect() })
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
        Checked { addresses }
    }
}
