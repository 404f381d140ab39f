//! Is it the real gate that listens, and does its explicit proxy deny?

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};

use bottle_netns::Layout;

use super::{FORBIDDEN_NAME, ProbePlan, Rest, rest, stream};

/// The gate's own address.
pub(super) fn address() -> IpAddr {
    Layout::default().gate.v4.into()
}

fn proxy() -> SocketAddr {
    SocketAddr::new(address(), Layout::default().explicit_port)
}

/// Asks for a tunnel to the forbidden name; `403` is right.
pub(super) fn connect_denied() -> Rest {
    let request = format!("CONNECT {FORBIDDEN_NAME}:443 HTTP/1.1\r\nHost: {FORBIDDEN_NAME}:443\r\n\r\n");
    rest(stream::ask(proxy(), request.as_bytes()), |stream| Ok(answer(&stream)?.0))
}

/// Asks the gate to prove that it is the one that the supervisor started: the answer's body is right.
pub(super) fn challenge(plan: &ProbePlan) -> Rest {
    let request = format!(
        "GET http://_egress.local/challenge/{} HTTP/1.1\r\nHost: _egress.local\r\nConnection: close\r\n\r\n",
        plan.challenge
    );
    rest(stream::ask(proxy(), request.as_bytes()), |stream| match answer(&stream)? {
        (status, body) if status == "200" => Ok(body),
        (status, _) => Ok(format!("status {status}")),
    })
}

/// The status code and the trimmed body.
fn answer(stream: &TcpStream) -> io::Result<(String, String)> {
    let answer = stream::answer(stream)?;
    let text = String::from_utf8_lossy(&answer);
    let status = text.split(' ').nth(1).unwrap_or_default().to_owned();
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bottle_images::Context;
    use bottle_policy::lease::POOL;

    use super::*;

    /// They know nothing of each other.
    #[test]
    fn the_crates_mean_the_same_addresses() {
        assert_eq!(Layout::default().pool, (POOL.network(), POOL.prefix_len()));
        assert_eq!(Context::new(0, 0, "root", Path::new("/"), Path::new("/")).nameserver, address());
    }
}
