//! What are a connection's first bytes, and how long may they take?

use std::future::Future;
use std::io;
use std::time::Duration;

use bottle_policy::Seen;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::pending::Ticket;
use crate::relay::read_some;
use crate::sniff::{Sniffed, Sniffer};

/// Something that first bytes are read from.
pub(super) trait Source: Sync {
    /// Reads what is there onto the end of `into`; zero at the end of file.
    fn read_some(&self, into: &mut Vec<u8>, most: usize) -> impl Future<Output = io::Result<usize>> + Send;
}

impl Source for TcpStream {
    async fn read_some(&self, into: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        read_some(self, into, most).await
    }
}

/// What came of waiting.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum First {
    /// The bytes show this, be it that they never became complete.
    Seen(Seen),
    /// Others needed the room.
    Evicted,
    /// The client broke off.
    Broken(io::ErrorKind),
}

pub(super) const PIECE: usize = 16 * 1024;

/// Reads until the first bytes can be classified, at most for `limit` in all.
pub(super) async fn first_bytes(
    source: &impl Source,
    sniffer: &mut Sniffer,
    ticket: &Ticket,
    limit: Duration,
) -> First {
    let deadline = Instant::now() + limit;
    if let Sniffed::Seen(seen) = sniffer.push(&[]) {
        return First::Seen(seen);
    }
    loop {
        let mut piece = Vec::new();
        let read = tokio::select! {
            read = source.read_some(&mut piece, PIECE) => read,
            () = sleep_until(deadline) => return First::Seen(late(sniffer, limit)),
            () = ticket.evicted() => return First::Evicted,
        };
        match read {
            Ok(0) => return First::Seen(sniffer.end()),
            Ok(count) => ticket.grow(count),
            Err(error) => return First::Broken(error.kind()),
        }
        if let Sniffed::Seen(seen) = sniffer.push(&piece) {
            return First::Seen(seen);
        }
    }
}

fn late(sniffer: &Sniffer, limit: Duration) -> Seen {
    let seconds = limit.as_secs();
    match sniffer.bytes().len() {
        0 => Seen::Silent,
        count => Seen::Unparsable(format!("still incomplete after {seconds} s and {count} bytes")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use tokio::sync::Mutex;

    use super::super::pending::Pending;
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    /// Gives one piece after each pause, then stays silent.
    struct Script(Mutex<VecDeque<(u64, Vec<u8>)>>);

    impl Script {
        fn new(pieces: impl IntoIterator<Item = (u64, Vec<u8>)>) -> Script {
            Script(Mutex::new(pieces.into_iter().collect()))
        }
    }

    impl Source for Script {
        async fn read_some(&self, into: &mut Vec<u8>, _most: usize) -> io::Result<usize> {
            let next = self.0.lock().await.pop_front();
            let Some((pause, piece)) = next else {
                return std::future::pending().await;
            };
            tokio::time::sleep(Duration::from_secs(pause)).await;
            into.extend_from_slice(&piece);
            Ok(piece.len())
        }
    }

    async fn outcome(script: Script) -> (First, Duration) {
        let pending = Pending::new(10, 1 << 20);
        let (ticket, start) = (pending.enter(), Instant::now());
        let first = first_bytes(&script, &mut Sniffer::default(), &ticket, LIMIT).await;
        (first, start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_hello_of_one_byte_a_minute_ends_at_the_deadline() {
        let drip = (0..100).map(|_| (15, vec![22, 3]));
        let (first, took) = outcome(Script::new(drip)).await;
        assert!(matches!(first, First::Seen(Seen::Unparsable(why)) if why.contains("incomplete after 20 s")));
        assert_eq!(took, LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_at_the_deadline() {
        let (first, took) = outcome(Script::new([])).await;
        assert_eq!(first, First::Seen(Seen::Silent));
        assert_eq!(took, LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_hello_that_never_ends_is_refused_before_it_fills_memory() {
        let endless =
            (0..1000).map(|at| (0, if at == 0 { vec![22, 3, 1, 64, 0, 1, 0, 255, 255] } else { vec![0; 4096] }));
        let (first, took) = outcome(Script::new(endless)).await;
        assert!(matches!(first, First::Seen(Seen::Unparsable(_))));
        assert_eq!(took, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn eviction_ends_the_wait_at_once() {
        let pending = Pending::new(1, 1 << 20);
        let (ticket, silent) = (pending.enter(), Script::new([]));
        let _newer = pending.enter();
        let first = first_bytes(&silent, &mut Sniffer::default(), &ticket, LIMIT).await;
        assert_eq!(first, First::Evicted);
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_that_are_known_end_the_wait() {
        let (first, _) = outcome(Script::new([(1, b"SSH-2.0-x ".to_vec()), (1, b"y\r\n".to_vec())])).await;
        assert_eq!(first, First::Seen(Seen::Opaque));
    }
}
