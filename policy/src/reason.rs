//! Why was something denied? One stable code per reason; audit, `why`, DNS and stderr all use these.

use std::fmt;

/// A reason for a denial. [`code`](Reason::code) is stable and kebab-case.
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
    /// Not a byte was sent, where the rule wants to see TLS or HTTP first.
    NothingSent,
    /// The first bytes could not be parsed.
    Unparsable,
    /// No server name, where no lease or CONNECT gives one; or an encrypted ClientHello without an outer name.
    NoName,
    /// A known DNS-over-HTTPS or DNS-over-TLS endpoint.
    DohEndpoint,
    /// A resolved or literal address is private or special and nothing allows that.
    PrivateAddress,
    /// A cloud metadata address.
    MetadataAddress,
    /// The host's own address, loopback or link-local.
    HostAddress,
    /// It is the proxy that everything is dialled through, and no rule names that exactly.
    UpstreamProxy,
    /// Approval is needed and approvals are off.
    Escalation,
    /// The decision or its record could not be made in time or at all.
    Unavailable,
    /// Too many connections, names or bytes pending.
    Limit,
    /// What was denied more than once, and not each time for the same reason.
    Several,
}

impl Reason {
    /// The stable code, as audit entries and JSON carry it.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoRule => "no-rule",
            Self::PortNotAllowed => "port-not-allowed",
            Self::LiteralAddress => "literal-address",
            Self::NameMismatch => "name-mismatch",
            Self::NotTls => "not-tls",
            Self::NotHttp => "not-http",
            Self::NothingSent => "nothing-sent",
            Self::Unparsable => "unparsable",
            Self::NoName => "no-name",
            Self::DohEndpoint => "doh-endpoint",
            Self::PrivateAddress => "private-address",
            Self::MetadataAddress => "metadata-address",
            Self::HostAddress => "host-address",
            Self::UpstreamProxy => "upstream-proxy",
            Self::Escalation => "escalation",
            Self::Unavailable => "unavailable",
            Self::Limit => "limit",
            Self::Several => "several",
        }
    }

    /// The reason for both of two denials.
    pub fn and(self, other: Reason) -> Reason {
        if self == other { self } else { Self::Several }
    }

    /// One plain sentence without the final stop.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NoRule => "no rule names this destination",
            Self::PortNotAllowed => "a rule names this destination, but not this port",
            Self::LiteralAddress => "it is an address that no `ip_ranges` rule covers",
            Self::NameMismatch => "the client shows a name that is not the one it asked for",
            Self::NotTls => "the client does not speak TLS, which the rule requires",
            Self::NotHttp => "the client does not speak plain HTTP, which the rule requires",
            Self::NothingSent => "the client sent nothing, and the rule expects TLS or plain HTTP from it",
            Self::Unparsable => "the client's first bytes could not be understood",
            Self::NoName => "the client hides or omits the server name",
            Self::DohEndpoint => "it is a DNS-over-HTTPS or DNS-over-TLS endpoint, where lookups would go unseen",
            Self::PrivateAddress => "the address is private or special",
            Self::MetadataAddress => "the address is a cloud metadata service",
            Self::HostAddress => "the address is the host's own, loopback or link-local",
            Self::UpstreamProxy => "it is the upstream proxy itself, which no rule names exactly",
            Self::Escalation => "it needs an approval, and approvals are off",
            Self::Unavailable => "the decision could not be made or recorded",
            Self::Limit => "too much is pending",
            Self::Several => "it was denied more than once, for several reasons",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_what_serde_writes() {
        use Reason::*;
        let all = [
            NoRule,
            PortNotAllowed,
            LiteralAddress,
            NameMismatch,
            NotTls,
            NotHttp,
            NothingSent,
            Unparsable,
            NoName,
            DohEndpoint,
            PrivateAddress,
            MetadataAddress,
            HostAddress,
            UpstreamProxy,
            Escalation,
            Unavailable,
            Limit,
            Several,
        ];
        for reason in all {
            assert_eq!(serde_json::to_string(&reason).expect("a unit variant"), format!("\"{}\"", reason.code()));
        }
    }
}
