//! The gate's and the dialler's halves of the transparent proxy.
//!
//! The gate reads what the workload sends: [`sniff`] says what the first bytes are, [`http`] judges plain requests one by
//! one, [`gate`] accepts, asks and denies, [`relay`] copies. It opens nothing.
//!
//! The dialler never sees those bytes. [`dialler`] takes an [`attempt`], decides again, has it recorded, and with the
//! [`permit`] that only the record gives resolves, checks, connects, and hands the socket back.

#![forbid(unsafe_code)]

pub mod attempt;
pub mod detail;
pub mod dialler;
pub mod gate;
pub mod http;
pub mod permit;
mod promise;
pub mod relay;
pub mod sniff;
pub mod upstream_proxy;

pub use attempt::{Attempt, Ended, Outcome, Refusal, RefusalKind, Way};
pub use detail::Detail;
pub use dialler::{Dialler, HostAddresses, Resolve};
pub use gate::{Gate, GateParts, Listeners, OriginalDst, Upstream};
pub use permit::{Ledger, LedgerError, Permit};
pub use upstream_proxy::{UpstreamProxy, UpstreamProxyError};
