//! Which links and routes make the world? One pair of links, and an internet that owns nearly every address there is.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

use rtnetlink::packet_route::address::AddressHeaderFlags;
use rtnetlink::packet_route::link::{InfoData, InfoVeth};
use rtnetlink::packet_route::neighbour::NeighbourState;
use rtnetlink::packet_route::route::{RouteScope, RouteType};
use rtnetlink::{Handle, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder};

use crate::addresses as at;

const LOCAL_TABLE: u32 = 255;
const HOST_LINK: &str = "eth0";
const INTERNET_LINK: &str = "wan0";
const HOST_MAC: [u8; 6] = [2, 0, 0, 0, 1, 2];
const INTERNET_MAC: [u8; 6] = [2, 0, 0, 0, 1, 1];

/// A link step that failed, by name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("opening netlink: {0}")]
    Open(#[from] io::Error),
    #[error("{step}: {source}")]
    Step { step: String, source: rtnetlink::Error },
}

fn step<T>(name: impl Into<String>, result: Result<T, rtnetlink::Error>) -> Result<T, LinkError> {
    result.map_err(|source| LinkError::Step { step: name.into(), source })
}

/// Runs with a netlink handle of the current thread's network namespace.
fn with_netlink<F: Future<Output = Result<(), LinkError>>>(run: impl FnOnce(Handle) -> F) -> Result<(), LinkError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (connection, handle, _) = rtnetlink::new_connection()?;
        tokio::spawn(connection);
        run(handle).await
    })
}

/// Brings the loopback link of the current namespace up.
pub(crate) fn raise_loopback() -> Result<(), LinkError> {
    with_netlink(|netlink| async move { up(&netlink, "lo").await })
}

/// Makes the pair of links between the current namespace, the host, and the internet's, and the host's routes.
pub(crate) fn join_host(internet: BorrowedFd<'_>) -> Result<(), LinkError> {
    let internet = internet.as_raw_fd();
    with_netlink(|netlink| async move {
        up(&netlink, "lo").await?;
        let peer = LinkMessageBuilder::<LinkUnspec>::new().name(INTERNET_LINK).setns_by_fd(internet);
        let peer = InfoData::Veth(InfoVeth::Peer(peer.address(INTERNET_MAC.to_vec()).build()));
        let pair = LinkVeth::new(HOST_LINK, INTERNET_LINK).address(HOST_MAC.to_vec()).set_info_data(peer);
        step("the pair of links", netlink.link().add(pair.build()).execute().await)?;
        quiet(HOST_LINK)?;
        let link = address(&netlink, HOST_LINK, at::HOST, at::HOST_V6).await?;
        neighbour(&netlink, link, at::GATEWAY, at::GATEWAY_V6, INTERNET_MAC).await?;
        let v4 = RouteMessageBuilder::<Ipv4Addr>::new().gateway(at::GATEWAY).build();
        step("the IPv4 default route", netlink.route().add(v4).execute().await)?;
        let v6 = RouteMessageBuilder::<Ipv6Addr>::new().gateway(at::GATEWAY_V6).output_interface(link).build();
        step("the IPv6 default route", netlink.route().add(v6).execute().await)
    })
}

/// Gives the internet its end of the pair, and makes every address outside the pair its own.
///
/// Addresses are owned by `local` routes, so that sockets answer on any of them, and closed ports on any of them are reset.
pub(crate) async fn dress_internet() -> Result<(), LinkError> {
    let (connection, netlink, _) = rtnetlink::new_connection()?;
    tokio::spawn(connection);
    up(&netlink, "lo").await?;
    quiet(INTERNET_LINK)?;
    prompt()?;
    let link = address(&netlink, INTERNET_LINK, at::GATEWAY, at::GATEWAY_V6).await?;
    neighbour(&netlink, link, at::HOST, at::HOST_V6, HOST_MAC).await?;
    let loopback = index("lo")?;
    for (prefix, length) in everywhere_else() {
        own(&netlink, loopback, prefix, length, RouteType::Local).await?;
    }
    for (kind, v4, v6) in [
        (RouteType::Unreachable, at::UNREACHABLE, at::UNREACHABLE_V6),
        (RouteType::BlackHole, at::BLACKHOLE, at::BLACKHOLE_V6),
    ] {
        own(&netlink, 0, v4.into(), 16, kind).await?;
        own(&netlink, loopback, v6.into(), 48, kind).await?;
    }
    Ok(())
}

/// All of IPv4 but the pair's own prefix; of IPv6 all global and unique local addresses but the pair's, and special blocks in
/// which addresses could be meant: both prefixes of NAT64, v4-compatible and v4-translated, discard-only, SRv6, site-local.
fn everywhere_else() -> Vec<(IpAddr, u8)> {
    let (v4, v6) = (at::GATEWAY.to_bits(), at::GATEWAY_V6.to_bits());
    let flip_v4 = |bit: u8| {
        let keep = u32::MAX << (31 - u32::from(bit));
        (IpAddr::from(Ipv4Addr::from_bits((v4 ^ (1 << (31 - bit))) & keep)), bit + 1)
    };
    let flip_v6 = |bit: u8| {
        let keep = u128::MAX << (127 - u32::from(bit));
        (IpAddr::from(Ipv6Addr::from_bits((v6 ^ (1 << (127 - bit))) & keep)), bit + 1)
    };
    let others = [
        (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
        (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96),
        (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48),
        (Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0xa00, 0), 104),
        (Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96),
        (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64),
        (Ipv6Addr::new(0x5f00, 0, 0, 0, 0, 0, 0, 0), 16),
        (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10),
    ];
    (0..at::LINK_PREFIX)
        .map(flip_v4)
        .chain((3..at::LINK_PREFIX_V6).map(flip_v6))
        .chain(others.map(|(prefix, length)| (prefix.into(), length)))
        .collect()
}

async fn own(netlink: &Handle, link: u32, prefix: IpAddr, length: u8, kind: RouteType) -> Result<(), LinkError> {
    let scope = if kind == RouteType::Local { RouteScope::Host } else { RouteScope::Universe };
    let route = match prefix {
        IpAddr::V4(prefix) => {
            let route = RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(prefix, length);
            let route = route.table_id(LOCAL_TABLE).kind(kind).scope(scope);
            if link == 0 { route.build() } else { route.output_interface(link).build() }
        }
        IpAddr::V6(prefix) => {
            let route = RouteMessageBuilder::<Ipv6Addr>::new().destination_prefix(prefix, length);
            route.table_id(LOCAL_TABLE).kind(kind).scope(scope).output_interface(link).build()
        }
    };
    step(format!("the {kind:?} route to {prefix}/{length}"), netlink.route().add(route).execute().await)
}

async fn address(netlink: &Handle, name: &str, v4: Ipv4Addr, v6: Ipv6Addr) -> Result<u32, LinkError> {
    let link = index(name)?;
    for (address, length) in [(IpAddr::from(v4), at::LINK_PREFIX), (v6.into(), at::LINK_PREFIX_V6)] {
        let mut request = netlink.address().add(link, address, length);
        request.message_mut().header.flags = AddressHeaderFlags::Nodad;
        step(format!("the address {address}"), request.execute().await)?;
    }
    up(netlink, name).await?;
    Ok(link)
}

/// Permanent neighbours, so that a capture shows what programs send and not how links find each other.
async fn neighbour(netlink: &Handle, link: u32, v4: Ipv4Addr, v6: Ipv6Addr, mac: [u8; 6]) -> Result<(), LinkError> {
    for address in [IpAddr::from(v4), v6.into()] {
        let request = netlink.neighbours().add(link, address).link_layer_address(&mac).state(NeighbourState::Permanent);
        step(format!("the neighbour {address}"), request.execute().await)?;
    }
    Ok(())
}

async fn up(netlink: &Handle, name: &str) -> Result<(), LinkError> {
    let message = LinkMessageBuilder::<LinkUnspec>::new().name(name).up().build();
    step(format!("raising {name}"), netlink.link().set(message).execute().await)
}

fn index(name: &str) -> Result<u32, LinkError> {
    Ok(nix::net::if_::if_nametoindex(name).map_err(io::Error::from)?)
}

/// Lets the internet say at once, each time, that something is unreachable; only a router says so.
fn prompt() -> Result<(), LinkError> {
    std::fs::write(format!("/proc/sys/net/ipv4/conf/{INTERNET_LINK}/forwarding"), "1")?;
    std::fs::write("/proc/sys/net/ipv4/icmp_ratelimit", "0")?;
    Ok(std::fs::write("/proc/sys/net/ipv6/icmp/ratelimit", "0")?)
}

/// No router solicitations and no duplicate address detection on this link.
fn quiet(link: &str) -> Result<(), LinkError> {
    for key in ["accept_ra", "accept_dad", "router_solicitations"] {
        std::fs::write(format!("/proc/sys/net/ipv6/conf/{link}/{key}"), "0")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(address: IpAddr) -> usize {
        everywhere_else().iter().filter(|(prefix, length)| covers(*prefix, *length, address)).count()
    }

    fn covers(prefix: IpAddr, length: u8, address: IpAddr) -> bool {
        match (prefix, address) {
            (IpAddr::V4(prefix), IpAddr::V4(address)) => (prefix.to_bits() ^ address.to_bits()) >> (32 - length) == 0,
            (IpAddr::V6(prefix), IpAddr::V6(address)) => (prefix.to_bits() ^ address.to_bits()) >> (128 - length) == 0,
            _ => false,
        }
    }

    #[test]
    fn the_internet_owns_each_address_once() {
        for address in [IpAddr::from(at::DNS), at::ATTACKER.into(), at::ATTACKER_V6.into(), at::WEB_V6.into()] {
            assert_eq!(owned(address), 1, "{address}");
        }
        for text in [
            "10.0.0.1",
            "169.254.169.254",
            "192.168.1.1",
            "255.0.0.1",
            "fd00::1",
            "2001:db8::1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "::10.1.2.3",
            "fec0::1",
        ] {
            assert_eq!(owned(text.parse().unwrap()), 1, "{text}");
        }
    }

    #[test]
    fn the_internet_does_not_own_the_pair() {
        for address in [IpAddr::from(at::HOST), at::GATEWAY.into(), at::HOST_V6.into(), at::GATEWAY_V6.into()] {
            assert_eq!(owned(address), 0, "{address}");
        }
    }
}
