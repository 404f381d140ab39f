//! Why was something denied? One stable code per reason; audit, `why`, DNS and stderr all use these.

/// A reason for a denial. `code()` is stable and kebab-case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// No rule names this destination.
    NoRule,
    /// A rule names it, but not this port.
    PortNotAllowed,
    /// An address without a lease, and no `ip_ranges` rule covers it.
    LiteralAddress,
    /// The names shown disagree with each other or with the lease.
    NameMismatch,
    /// Not TLS, where the rule says TLS (the default).
    NotTls,
    /// Not plain HTTP, where the rule says `protocol: http`.
    NotHttp,
    /// The first bytes could not be parsed.
    Unparsable,
    /// No server name, where no lease or CONNECT gives one.
    NoName,
    /// A known DNS-over-HTTPS or DNS-over-TLS endpoint.
    DohEndpoint,
    /// A resolved or literal address is private or special and nothing allows that.
    PrivateAddress,
    /// A cloud metadata address.
    MetadataAddress,
    /// The host's own address, loopback or link-local.
    HostAddress,
    /// Approval is needed and approvals are off.
    Escalation,
    /// The decision or its record could not be made in time or at all.
    Unavailable,
    /// Too many connections, names or bytes pending.
    Limit,
}
