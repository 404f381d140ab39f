//! What addresses does a registry have? As the host's own hosts file and resolvers say.
//!
//! The C library is not asked: in a static program it would load libraries for sources of names that are configured.

use std::net::SocketAddr;
use std::sync::OnceLock;

use hickory_resolver::TokioResolver;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// A name for which nobody gave an address.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NoAddress(String);

/// The host's names, whose configuration is read at the first question.
#[derive(Clone, Default)]
pub(super) struct HostNames(std::sync::Arc<OnceLock<TokioResolver>>);

impl Resolve for HostNames {
    fn resolve(&self, name: Name) -> Resolving {
        let once = self.0.clone();
        Box::pin(async move {
            let resolver = match once.get() {
                Some(resolver) => resolver,
                None => {
                    let built = TokioResolver::builder_tokio()?.build()?;
                    once.get_or_init(|| built)
                }
            };
            let found = resolver.lookup_ip(name.as_str()).await.map_err(|error| match error.is_no_records_found() {
                true => NoAddress(format!("{} has none", name.as_str())),
                false => NoAddress(error.to_string()),
            })?;
            let addresses: Vec<SocketAddr> = found.iter().map(|address| SocketAddr::new(address, 0)).collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
