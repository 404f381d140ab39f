//! What do the policy and the leases say about a name?

use std::net::Ipv4Addr;
use std::sync::Arc;

use bottle_policy::lease::Leases;
use bottle_policy::rules::Rules;
use bottle_policy::{Name, Reason, resolvable};

/// What the sinkhole asks of others. One implementation is real; tests write theirs.
pub(crate) trait Book: Send + Sync {
    /// Whether anything could be allowed at `name`.
    fn judge(&self, name: &str) -> Result<(), Reason>;
    /// The address that stands for `name`; [`Reason::Limit`] when there are no more.
    fn address(&self, name: &str) -> Result<Ipv4Addr, Reason>;
    /// The name for which `address` stands.
    fn name(&self, address: Ipv4Addr) -> Option<String>;
}

/// The policy in force, and the leases that its names were given.
pub(crate) struct PolicyBook {
    pub(crate) rules: Arc<Rules>,
    pub(crate) leases: Arc<Leases>,
}

impl PolicyBook {
    /// A name that is no name in the policy's sense can be in no rule.
    fn allowed(&self, name: &str) -> Result<Name, Reason> {
        let name = Name::parse(name).map_err(|_| Reason::NoRule)?;
        resolvable(&self.rules, &name).map(|()| name)
    }
}

impl Book for PolicyBook {
    fn judge(&self, name: &str) -> Result<(), Reason> {
        self.allowed(name).map(drop)
    }

    fn address(&self, name: &str) -> Result<Ipv4Addr, Reason> {
        let name = self.allowed(name)?;
        self.leases.lease(&name).map_err(|_| Reason::Limit)
    }

    fn name(&self, address: Ipv4Addr) -> Option<String> {
        self.leases.name(address).map(String::from)
    }
}
