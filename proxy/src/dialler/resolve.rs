//! What addresses does a name have? As the host itself would find them: its hosts file, then its resolvers.

use std::fs::Metadata;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bottle_policy::Name;
use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup_ip::LookupIp;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::RecordType;
use hickory_resolver::{Hosts, TokioResolver, system_conf};

use super::recent::Recent;

/// Finds the addresses of names.
pub trait Resolve: Send + Sync {
    /// The addresses of a fully qualified name, in the order to try them.
    fn lookup(&self, name: &Name) -> impl Future<Output = Result<Addresses, ResolveError>> + Send;
}

/// What a name resolved to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// IPv6 and IPv4, as found.
    pub addrs: Vec<IpAddr>,
    /// How long they may be kept.
    pub ttl: Duration,
}

/// A name that could not be resolved.
#[derive(Debug, thiserror::Error)]
#[error("cannot resolve {name}: {why}")]
pub struct ResolveError {
    /// The name.
    pub name: Name,
    /// What the resolvers said.
    pub why: String,
}

/// The host's resolver configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HostResolverError {
    /// A file cannot be read.
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// The configuration makes no resolver.
    #[error("cannot use {}", .0.display())]
    Use(PathBuf, #[source] NetError),
}

/// Resolves as the host does, with a cache that keeps answers for their TTL. Follows the files as they change.
#[derive(Debug)]
pub struct HostResolver {
    configuration: PathBuf,
    hosts: PathBuf,
    current: Mutex<(Stamps, Arc<Source>)>,
}

/// What was read from the two files.
#[derive(Debug)]
struct Source {
    hosts: Hosts,
    resolver: TokioResolver,
    recent: Recent,
}

/// Which version of a file was read.
type Stamps = [Option<(u64, i64, i64)>; 2];

/// How many names' answers are kept, here and by the resolver.
pub(super) const CACHED_NAMES: u64 = 4096;
const LONGEST_NEGATIVE: Duration = Duration::from_secs(5);
const LONGEST_POSITIVE: Duration = Duration::from_secs(3600);

impl HostResolver {
    /// With `/etc/resolv.conf` and `/etc/hosts`.
    pub fn system() -> Result<HostResolver, HostResolverError> {
        HostResolver::new("/etc/resolv.conf", "/etc/hosts")
    }

    /// With these files. Reads them at once; one that does not exist is as good as empty.
    pub fn new(
        configuration: impl Into<PathBuf>,
        hosts: impl Into<PathBuf>,
    ) -> Result<HostResolver, HostResolverError> {
        let (configuration, hosts) = (configuration.into(), hosts.into());
        let stamps = [stamp(&configuration), stamp(&hosts)];
        let current = Mutex::new((stamps, Arc::new(read(&configuration, &hosts)?)));
        Ok(HostResolver { configuration, hosts, current })
    }

    /// What the files say now. Files that became unreadable leave what they said before in force.
    fn source(&self) -> Arc<Source> {
        let stamps = [stamp(&self.configuration), stamp(&self.hosts)];
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 != stamps
            && let Ok(changed) = read(&self.configuration, &self.hosts)
        {
            *current = (stamps, Arc::new(changed));
        }
        Arc::clone(&current.1)
    }
}

impl Resolve for HostResolver {
    async fn lookup(&self, name: &Name) -> Result<Addresses, ResolveError> {
        let source = self.source();
        if let Some(known) = source.recent.find(name, Instant::now()) {
            return Ok(known);
        }
        let listed = source.listed(name);
        if !listed.is_empty() {
            return Ok(Addresses { addrs: listed, ttl: Duration::ZERO });
        }
        // The trailing dot keeps search domains out: what was decided upon is what is asked for.
        let found = source.resolver.lookup_ip(format!("{name}.")).await;
        let found = found.map_err(|error| ResolveError { name: name.clone(), why: why(&error) })?;
        let (addrs, until) = (found.iter().collect::<Vec<_>>(), found.valid_until());
        source.recent.keep(name, &addrs, until);
        Ok(Addresses { addrs, ttl: until.saturating_duration_since(Instant::now()) })
    }
}

/// The usual answers in words of our own: the library's show its types.
fn why(error: &NetError) -> String {
    match error {
        error if error.is_nx_domain() => "there is no such name".to_owned(),
        error if error.is_no_records_found() => "it has no address".to_owned(),
        NetError::NoConnections => "no name server can be reached".to_owned(),
        error => error.to_string(),
    }
}

impl Source {
    /// A name in the hosts file is not asked for elsewhere, not even in the family that the file leaves out.
    fn listed(&self, name: &Name) -> Vec<IpAddr> {
        let Ok(name) = hickory_resolver::proto::rr::Name::from_ascii(format!("{name}.")) else {
            return Vec::new();
        };
        [RecordType::AAAA, RecordType::A]
            .into_iter()
            .filter_map(|kind| self.hosts.lookup_static_host(&Query::query(name.clone(), kind)))
            .flat_map(|found| LookupIp::from(found).iter().collect::<Vec<_>>())
            .collect()
    }
}

fn read(configuration: &Path, hosts: &Path) -> Result<Source, HostResolverError> {
    let text = existing(configuration)?;
    // A file without a name server means the one on this machine, as for the C library.
    let (config, options) =
        system_conf::parse_resolv_conf(&text).unwrap_or_else(|_| (on_this_machine(), ResolverOpts::default()));
    let mut listed = Hosts::default();
    let text = existing(hosts)?;
    listed.read_hosts_conf(text.as_slice()).map_err(|error| HostResolverError::Read(hosts.to_owned(), error))?;
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    *builder.options_mut() = with_ours(options);
    let resolver = builder.build().map_err(|error| HostResolverError::Use(configuration.to_owned(), error))?;
    Ok(Source { hosts: listed, resolver, recent: Recent::default() })
}

fn with_ours(mut options: ResolverOpts) -> ResolverOpts {
    options.ip_strategy = LookupIpStrategy::Ipv6AndIpv4;
    options.use_hosts_file = ResolveHosts::Never;
    options.cache_size = CACHED_NAMES;
    options.positive_max_ttl = Some(LONGEST_POSITIVE);
    options.negative_max_ttl = Some(LONGEST_NEGATIVE);
    options.try_tcp_on_error = true;
    options
}

fn on_this_machine() -> ResolverConfig {
    let server = NameServerConfig::udp_and_tcp(IpAddr::V4(Ipv4Addr::LOCALHOST));
    ResolverConfig::from_parts(None, Vec::new(), vec![server])
}

fn existing(path: &Path) -> Result<Vec<u8>, HostResolverError> {
    match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(|error| HostResolverError::Read(path.to_owned(), error)),
    }
}

fn stamp(path: &Path) -> Option<(u64, i64, i64)> {
    let version = |data: Metadata| (data.ino(), data.mtime(), data.mtime_nsec());
    std::fs::metadata(path).ok().map(version)
}
