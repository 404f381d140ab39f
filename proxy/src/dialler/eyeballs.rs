//! Which of the checked addresses answers first? Families by turns, each given a head start (RFC 8305).

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Checked, tunnel};
use crate::Refusal;
use crate::permit::Permit;

const HEAD_START: Duration = Duration::from_millis(250);

/// Connects under the permit, which is used up; through a proxy to what the permit names.
pub(super) async fn dial(permit: Permit, checked: Checked) -> Result<OwnedFd, Refusal> {
    let (addresses, proxy) = checked.into_parts();
    let mut stream = race(by_turns(addresses), connect).await.map_err(|error| match &proxy {
        None => Refusal::unreachable(format_args!("port {}: {error}", permit.attempt().request.port)),
        Some(proxy) => Refusal::unreachable(format_args!("the upstream proxy {proxy}: {error}")),
    })?;
    if let Some(proxy) = proxy {
        tunnel::open(&mut stream, &proxy, permit.attempt()).await?;
    }
    drop(permit);
    stream.set_nodelay(true).and_then(|()| stream.into_std()).map(OwnedFd::from).map_err(Refusal::unreachable)
}

/// Connects to a listener. On loopback, where nobody listens, the kernel may choose the very port that is connected to as
/// the source, and the socket is then connected to itself.
async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    let itself = stream.local_addr()? == address;
    if itself { Err(io::ErrorKind::ConnectionRefused.into()) } else { Ok(stream) }
}

/// One of each family in turn, beginning with the family that comes first.
fn by_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|a| a.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut out = Vec::new();
    loop {
        let before = out.len();
        out.extend(first.next());
        out.extend(second.next());
        if out.len() == before {
            return out;
        }
    }
}

/// The first that connects; the others are dropped. A failure starts the next at once.
async fn race<S, F, C>(addresses: Vec<SocketAddr>, connect: C) -> io::Result<S>
where
    S: Send + 'static,
    F: Future<Output = io::Result<S>> + Send + 'static,
    C: Fn(SocketAddr) -> F,
{
    if let [only] = addresses[..] {
        return connect(only).await;
    }
    let mut waiting = addresses.into_iter();
    let mut running = JoinSet::new();
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        if let Some(address) = waiting.next() {
            running.spawn(connect(address));
        } else if running.is_empty() {
            return Err(failure);
        }
        let ended = tokio::select! {
            ended = running.join_next() => ended,
            () = sleep(HEAD_START), if waiting.len() > 0 => None,
        };
        match ended {
            Some(Ok(Ok(stream))) => return Ok(stream),
            Some(Ok(Err(error))) => failure = error,
            Some(Err(broken)) => failure = io::Error::other(broken),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|text| text.parse().expect("an address")).collect()
    }

    async fn scripted(address: SocketAddr) -> io::Result<SocketAddr> {
        sleep(Duration::from_millis(u64::from(address.port()))).await;
        if address.ip().is_ipv6() { Err(io::ErrorKind::ConnectionRefused.into()) } else { Ok(address) }
    }

    #[test]
    fn families_take_turns() {
        let list = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"]);
        assert_eq!(by_turns(list), addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_address_is_overtaken_after_its_head_start() {
        let start = Instant::now();
        let winner = race(addresses(&["1.0.0.1:9000", "1.0.0.2:10"]), scripted).await.expect("one");
        assert_eq!(winner.port(), 10);
        assert_eq!(start.elapsed(), Duration::from_millis(260));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_starts_the_next_at_once() {
        let start = Instant::now();
        let winner = race(addresses(&["[::1]:5", "1.0.0.2:10"]), scripted).await.expect("one");
        assert_eq!(winner.port(), 10);
        assert_eq!(start.elapsed(), Duration::from_millis(15));
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_fail_the_last_failure_is_told() {
        let error = race(addresses(&["[::1]:5", "[::2]:10"]), scripted).await.expect_err("none");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    struct Approves;

    impl crate::Ledger for Approves {
        async fn decided(&self, _: &crate::Attempt, _: &bottle_policy::Verdict) -> Result<(), crate::LedgerError> {
            Ok(())
        }

        async fn ended(&self, _: crate::Outcome) {}
    }

    async fn permit() -> Permit {
        use bottle_policy::{Grant, Request, Seen, Target, Verdict};
        let address: SocketAddr = "127.0.0.1:9".parse().expect("an address");
        let request = Request { target: Target::Literal(address.ip()), port: 9, seen: Seen::Nothing };
        let attempt = crate::Attempt {
            id: 1,
            source: address,
            original: address,
            way: crate::Way::Transparent,
            request,
            denied: None,
        };
        let verdict = Verdict::Allow(Grant { rule: String::new(), private: false, observed: false });
        crate::permit::record(&Approves, &attempt, verdict).await.expect("a permit")
    }

    #[tokio::test]
    async fn the_socket_that_is_handed_over_is_connected_and_does_not_block() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let there = listener.local_addr().expect("an address");
        let refused =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|gone| gone.local_addr()).expect("an address");
        let checked = Checked::without_a_check(vec![refused, there]);
        let socket = dial(permit().await, checked).await.expect("connected");
        let flags = rustix::fs::fcntl_getfl(&socket).expect("flags");
        assert!(flags.contains(rustix::fs::OFlags::NONBLOCK));
        let stream = std::net::TcpStream::from(socket);
        assert!(stream.nodelay().expect("an option"));
        assert_eq!(stream.peer_addr().expect("connected"), there);
    }

    #[tokio::test]
    async fn nothing_that_answers_is_unreachable() {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").and_then(|gone| gone.local_addr()).expect("an address");
        let refusal = dial(permit().await, Checked::without_a_check(vec![gone])).await.expect_err("refused");
        assert_eq!(refusal.kind, crate::RefusalKind::Unreachable);
    }
}
